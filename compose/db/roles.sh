#!/bin/sh
# The postgres image runs this once, when its volume is new: three roles, each with what it needs.
set -eu
as_superuser() {
    psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -v schema=public -v migrator=shop_migrate \
        --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" "$@"
}
as_superuser -v migrator_password="$MIGRATE_PASSWORD" -v app=shop -v app_password="$SHOP_PASSWORD" \
    --file=/sql/migrator.sql
as_superuser -v reader=sidecar -v password="$READER_PASSWORD" --file=/sql/reader.sql
