#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the runbook calls: backup, or restore [FILE|latest].
set -euo pipefail
directory=/var/backups/matrixon
inside=(docker compose --project-directory /opt/matrixon exec -T postgres)
case "${1:-backup}" in
    backup)
        target=$directory/matrixon-$(date -u +%Y%m%dT%H%M%SZ).dump
        "${inside[@]}" pg_dump -U matrixon -Fc matrixon > "$target.part"
        mv "$target.part" "$target"
        echo "$target"
        ;;
    restore)
        file=${2:-latest}
        if [ "$file" = latest ]; then file=$(find "$directory" -name '*.dump' | sort | tail -n 1); fi
        "${inside[@]}" pg_restore -U matrixon --clean --if-exists -d matrixon < "$file"
        ;;
    *)
        echo "usage: $0 backup | restore [FILE|latest]" >&2
        exit 64
        ;;
esac
