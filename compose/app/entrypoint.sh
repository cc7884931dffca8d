#!/bin/sh
# Becomes the command once the schema is current; applies the migrations itself if it is set to.
#
#   DJANGO_APPLY_MIGRATIONS=true   first `sidecar migrate`: one replica applies, the others wait
#   otherwise                      somebody else applies them, such as a Job
#
# Never makemigrations: migrations are code, and are made where code is written.
set -eu

# A shell that is process 1 of a container passes no signal on by itself.
apply() {
    sidecar migrate -- python manage.py migrate --noinput &
    child=$!
    trap 'kill -TERM "$child"' TERM INT HUP
    code=0
    wait "$child" || code=$?
    # A signal ends the waiting before it ends the child.
    while kill -0 "$child" 2>/dev/null; do
        code=0
        wait "$child" || code=$?
    done
    trap - TERM INT HUP
    [ "$code" -eq 0 ] || exit "$code"
}

case "${DJANGO_APPLY_MIGRATIONS:-false}" in
    true | True | TRUE | yes | on | 1) apply ;;
    false | False | FALSE | no | off | 0 | "") ;;
    *)
        echo "entrypoint: DJANGO_APPLY_MIGRATIONS is neither true nor false" >&2
        exit 64
        ;;
esac

exec sidecar wait -- "$@"
