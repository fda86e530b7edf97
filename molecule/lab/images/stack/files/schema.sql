CREATE TABLE items (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, created timestamptz NOT NULL DEFAULT now());
INSERT INTO items (name) SELECT 'room ' || n FROM generate_series(1, 50) AS n;
CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item_id integer REFERENCES items, note text);
INSERT INTO events (item_id, note) SELECT 1 + n % 50, md5(n::text) FROM generate_series(1, 5000) AS n;
CREATE INDEX events_item_id ON events (item_id);
