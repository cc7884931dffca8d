#!/bin/sh
# Becomes the command once the schema is current; applies the migrations itself when told to.
#
#   DJANGO_APPLY_MIGRATIONS=true   `sidecar migrate`: one replica applies, the others wait
#   otherwise                      `sidecar wait`: somebody else applies them, such as a Job
#
# Never makemigrations: migrations are code, and are made where code is written.
set -eu

case "${DJANGO_APPLY_MIGRATIONS:-false}" in
    true | True | TRUE | yes | on | 1) sidecar migrate -- python manage.py migrate --noinput ;;
    false | False | FALSE | no | off | 0 | "") sidecar wait ;;
    *)
        echo "entrypoint: DJANGO_APPLY_MIGRATIONS is neither true nor false" >&2
        exit 64
        ;;
esac

exec "$@"
