# One role and one database for each service; a role can open its own database alone.
for service in gateway credits generation storage; do
  password=$(cat "/run/secrets/${service}_database_password")
  psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres -v password="$password" -v service="$service" <<'SQL'
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"service";
REVOKE CONNECT ON DATABASE :"service" FROM PUBLIC;
SQL
done
