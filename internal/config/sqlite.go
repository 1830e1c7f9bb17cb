package config

import (
	"regexp"
	"strings"
)

// sqliteScheme is how SQLAlchemy names SQLite, alone or with one of its drivers.
var sqliteScheme = regexp.MustCompile(`^sqlite(\+aiosqlite|\+pysqlite)?:`)

const inMemory = "names a database in memory, which ends with the process: write a path, such as ./keystone.db"

// sqliteFile returns the file that a sqlite: URL names, or what is wrong with the URL. As
// in SQLAlchemy the path begins behind the third slash: sqlite:///./x.db is relative,
// sqlite:////var/x.db absolute. Three slashes and folders are absolute as in file: URLs;
// three and a name alone are not, for nobody means a file in the root folder.
func sqliteFile(address string) (path, problem string) {
	path = address[len(sqliteScheme.FindString(address)):]
	if behind, ok := strings.CutPrefix(path, "///"); ok {
		path = behind
		if first, _, folders := strings.Cut(behind, "/"); folders && first != "." && first != ".." && first != "" {
			path = "/" + behind
		}
	} else {
		path = strings.TrimPrefix(path, "//")
	}
	switch {
	case path == "" || path == ":memory:":
		return "", inMemory
	case strings.HasSuffix(path, "/"):
		return "", "names a folder, not a file"
	case strings.Contains(path, "?"):
		return "", "has a query, which SQLite's driver of another language reads: leave it out"
	}
	return path, ""
}
