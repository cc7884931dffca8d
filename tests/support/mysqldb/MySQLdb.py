"""What Django imports as MySQLdb, for the processes of the tests: PyMySQL under that name.

mysqlclient itself has no wheels for Linux.
"""

import pymysql

pymysql.install_as_MySQLdb()
