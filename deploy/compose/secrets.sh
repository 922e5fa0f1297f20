#!/bin/sh
# Makes the files of secrets that are not there yet, in the folder `secrets` beside this script or in the
# one that is named. Docker gives each to the containers that need it; a file that is there is left alone.
set -eu
folder=${1:-$(dirname "$0")/secrets}
# Others cannot enter the folder; the files themselves must be readable for the containers' users.
mkdir -p "$folder"
chmod 700 "$folder"

keep() {
    [ -e "$folder/$1" ] || printf '%s' "$2" > "$folder/$1"
    chmod 644 "$folder/$1"
}

keep POSTGRES_PASSWORD "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
keep TWD_METADATA_DSN "postgresql://twd_metadata:$(cat "$folder/POSTGRES_PASSWORD")@postgres:5432/twd_metadata"
for name in TWD_APPLICATION_DSN QDRANT_API_KEY TWD_CONNECTION_KEYS TWD_SCRATCH_DSN TWD_ALERT_WEBHOOK_URL; do
    keep "$name" ""
done

if [ -s "$folder/TWD_APPLICATION_DSN" ]; then
    echo "The secrets are in $folder."
else
    echo "The secrets are in $folder. Write the address of the application's PostgreSQL into TWD_APPLICATION_DSN."
fi
