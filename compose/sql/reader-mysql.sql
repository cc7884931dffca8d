-- The user that the sidecar reads with, on MySQL or MariaDB: it may read django_migrations,
-- and nothing else. Run once per database, before the first migrate or after:
--
--   mariadb --init-command="SET @reader='sidecar', @password='...', @database='shop'" < reader-mysql.sql
--
-- The table is made here, as Django makes it (django/db/migrations/recorder.py): without it
-- there is nothing to grant. `IF NOT EXISTS` leaves a user that is there as it is.

SET @account = CONCAT(QUOTE(@reader), '@', QUOTE('%'));
SET @table = CONCAT('`', REPLACE(@database, '`', '``'), '`.django_migrations');

SET @sql = CONCAT('CREATE USER IF NOT EXISTS ', @account, ' IDENTIFIED BY ', QUOTE(@password));
PREPARE statement FROM @sql;
EXECUTE statement;

SET @sql = CONCAT('CREATE TABLE IF NOT EXISTS ', @table, ' (',
                  'id bigint AUTO_INCREMENT NOT NULL PRIMARY KEY,',
                  'app varchar(255) NOT NULL,',
                  'name varchar(255) NOT NULL,',
                  'applied datetime(6) NOT NULL)');
PREPARE statement FROM @sql;
EXECUTE statement;

SET @sql = CONCAT('GRANT SELECT ON ', @table, ' TO ', @account);
PREPARE statement FROM @sql;
EXECUTE statement;
DEALLOCATE PREPARE statement;
