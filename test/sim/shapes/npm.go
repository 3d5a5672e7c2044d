package shapes

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// packageFile is one file of an npm package.
type packageFile struct {
	spec   string // package@version
	file   string // inside the package
	sha256 string // of the file, hex
}

// The pinned packages. GitHub generates both from its own description of the API.
var (
	openapi = packageFile{
		spec:   "@octokit/openapi@23.0.2",
		file:   "package/generated/api.github.com.json",
		sha256: "829b4bebb19a53133289f7b0bc819f4f1118115821db2ca9f25e9ee995a7da2a",
	}
	samples = packageFile{
		spec:   "@octokit/webhooks-examples@7.6.1",
		file:   "package/api.github.com/index.json",
		sha256: "09d8f0c617876ae9dad22e26fea5510bfcaad50ee7e602659f6db25b87b25815",
	}
)

// ErrNoNPM means that a package is not in the cache and cannot be downloaded.
var ErrNoNPM = errors.New("npm package is not available")

// cacheDirectory returns where downloaded files are kept: SERAPH_TEST_NPM, or seraph-test in the
// user's cache directory.
func cacheDirectory() (string, error) {
	if dir := os.Getenv("SERAPH_TEST_NPM"); dir != "" {
		return dir, os.MkdirAll(dir, 0o755)
	}

	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}

	dir := filepath.Join(cache, "seraph-test")
	return dir, os.MkdirAll(dir, 0o755)
}

// cached returns a file of the cache directory, and calls make to create it when it is absent. A
// lock file keeps test processes that run at the same time from creating it twice.
func cached(name string, make func(dir string) ([]byte, error)) ([]byte, error) {
	dir, err := cacheDirectory()
	if err != nil {
		return nil, err
	}

	path := filepath.Join(dir, name)
	lock := flock.New(filepath.Join(dir, "lock"))
	if err := lock.Lock(); err != nil {
		return nil, err
	}

	defer lock.Unlock() // the end of the process releases it too
	if kept, err := os.ReadFile(path); err == nil {
		return kept, nil
	}

	made, err := make(dir)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path+".new", made, 0o644); err != nil {
		return nil, err
	}

	return made, os.Rename(path+".new", path)
}

// fetch downloads the package with npm pack and returns the file, after checking its SHA-256.
func (src packageFile) fetch(dir string) ([]byte, error) {
	archive, remove, err := src.pack(dir)
	if err != nil {
		return nil, err
	}

	defer remove()
	content, err := unpack(archive, src.file)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != src.sha256 {
		return nil, fmt.Errorf("%s of %s has the wrong SHA-256: %x", src.file, src.spec, sum)
	}

	return content, nil
}

// pack downloads the package into a temporary directory, which remove deletes.
func (src packageFile) pack(dir string) (archive string, remove func(), err error) {
	work, err := os.MkdirTemp(dir, "pack-")
	if err != nil {
		return "", nil, err
	}

	clean := func() { os.RemoveAll(work) } // a failure leaves only a directory in the cache
	defer func() {
		if err != nil {
			clean()
		}
	}()

	if err := NPM(work, "pack", "--silent", src.spec); err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrNoNPM, err)
	}

	archives, err := filepath.Glob(filepath.Join(work, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return "", nil, fmt.Errorf("%w: npm pack %s left %d archives", ErrNoNPM, src.spec, len(archives))
	}

	return archives[0], clean, nil
}

// npmTries is how often NPM runs npm where CI=true: a registry that fails once must not fail a test. Elsewhere, where
// there may be no network at all, it runs npm once.
const npmTries = 4

// npmPause is how long NPM waits after the first try. After the second one it waits twice as long, after the third one
// three times.
var npmPause = 10 * time.Second

// NPM runs npm in a folder. If it fails where CI=true, NPM prints that on the standard error and runs it again, up to
// npmTries times in all. Each run may take three minutes.
func NPM(folder string, args ...string) error {
	err := runNPM(folder, args)
	for try := 1; err != nil && os.Getenv("CI") == "true" && try < npmTries; try++ {
		pause := time.Duration(try) * npmPause
		fmt.Fprintf(os.Stderr, "%v: trying again in %s\n", err, pause)
		<-time.After(pause)
		err = runNPM(folder, args)
	}
	return err
}

func runNPM(folder string, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", append(args, "--fetch-timeout=60000", "--fetch-retry-mintimeout=2000",
		"--fetch-retry-maxtimeout=10000")...)
	npm.Dir = folder
	if output, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm %s: %w %s", args[0], err, output)
	}
	return nil
}

// unpack returns one file of a .tgz archive.
func unpack(archive, file string) ([]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}

	defer f.Close() // it was only read
	zipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}

	for files := tar.NewReader(zipped); ; {
		header, err := files.Next()
		if err != nil {
			return nil, fmt.Errorf("find %s in %s: %w", file, filepath.Base(archive), err)
		}
		if header.Name == file {
			return io.ReadAll(files)
		}
	}
}
