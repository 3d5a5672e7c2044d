package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// CheckURL says why Open could not open a database and keep data in it, as far as that can be seen
// without a connection and without making a file. The error ends with the remedy and holds neither
// the URL nor a password.
func CheckURL(databaseURL string) error {
	path, sqlite := strings.CutPrefix(databaseURL, "sqlite:")
	if sqlite {
		return checkFile(path)
	}
	if _, err := pgx.ParseConfig(databaseURL); err != nil {
		return errors.New("the PostgreSQL driver cannot read it: " +
			"write postgres://USER:PASSWORD@HOST/NAME, and escape special characters as %XX")
	}
	return nil
}

// checkFile wants a file that an SQLite database is in, or a place where one can be made. Files for
// the lock and the journal are made beside it.
func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return checkFolder(filepath.Dir(path))
	case err != nil:
		return fmt.Errorf("the file cannot be reached: %w: write a path that this user may reach", err)
	case info.IsDir():
		return errors.New("the path is a folder: write the path of a file")
	case !info.Mode().IsRegular():
		return errors.New("the path is a device, a pipe or a socket, which keeps no data: write the path of a file")
	}

	if err := checkHeader(path); err != nil {
		return err
	}

	return checkFolder(filepath.Dir(path))
}

// header begins every SQLite database that is not empty (SQLite, "Database File Format", 1.3).
const header = "SQLite format 3\x00"

func checkHeader(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("the file cannot be written: %w: let this user write it, or write another path", err)
	}
	defer func() { _ = file.Close() }()

	begin := make([]byte, len(header))
	n, err := io.ReadFull(file, begin)
	switch {
	case errors.Is(err, io.EOF): // an empty file becomes a database
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the file cannot be read: %w: let this user read it, or write another path", err)
	case string(begin[:n]) != header:
		return errors.New("the file is not an SQLite database: write another path, or move the file away")
	default:
		return nil
	}
}

// mayWriteAndEnter are W_OK and X_OK of access(2).
const mayWriteAndEnter = 0x2 | 0x1

// checkFolder wants a folder in which files can be made, or the nearest one above it that exists, in
// which the others can be made.
func checkFolder(folder string) error {
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist) && folder != filepath.Dir(folder):
		return checkFolder(filepath.Dir(folder))
	case err != nil:
		return fmt.Errorf("the folder of the file cannot be reached: %w: write a path that this user may reach", err)
	case !info.IsDir():
		return errors.New("the path leads through a file that is not a folder: write another path")
	}

	if err := syscall.Access(folder, mayWriteAndEnter); err != nil {
		return fmt.Errorf("no file can be made in the folder %s: %w: let this user write there, or write another path",
			folder, err)
	}

	return nil
}
