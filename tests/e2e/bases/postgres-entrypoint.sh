#!/bin/sh
# As the official image: a new volume gets a cluster, a database, and what initdb.d holds, by a
# server that only a Unix socket reaches; then PostgreSQL becomes process 1.
set -eu
: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}"
export POSTGRES_USER POSTGRES_DB
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    secret=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" > "$secret"
    initdb --username="$POSTGRES_USER" --pwfile="$secret" --auth-host=scram-sha-256 \
        --auth-local=trust > /dev/null
    rm "$secret"
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    pg_ctl start --wait --silent -o "-c listen_addresses=''"
    if [ "$POSTGRES_DB" != postgres ]; then
        createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
        *.sh) "$file" ;;
        *.sql) psql -v ON_ERROR_STOP=1 --username="$POSTGRES_USER" "$POSTGRES_DB" -f "$file" ;;
        esac
    done
    pg_ctl stop --wait --silent --mode=fast
fi
exec "$@"
