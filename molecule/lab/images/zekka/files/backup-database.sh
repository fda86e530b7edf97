#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
set -a
. /opt/zekka/.env
set +a
target=/var/backups/zekka/zekka_production-$(date -u +%Y%m%dT%H%M%SZ).sql.gz
pg_dump "$PGDATABASE" | gzip > "$target.part"
mv "$target.part" "$target"
echo "$target"
