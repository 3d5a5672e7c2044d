package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// contextFile is the file in which a person keeps the services that they ask.
type contextFile struct {
	Current  string                  `yaml:"current,omitempty"` // the context to use where none is named
	Contexts map[string]savedContext `yaml:"contexts"`
}

// savedContext is one service and a token for it.
type savedContext struct {
	URL       string `yaml:"url"`
	Token     string `yaml:"token,omitempty"`
	AllowHTTP bool   `yaml:"allow_http,omitempty"` // the token may cross a network unencrypted
}

// maxContextFile is how many bytes the file may have.
const maxContextFile = 1 << 20

// defaultConfigFile is the file of contexts, or "" where the user has no folder for settings, as in many
// containers.
func defaultConfigFile() string {
	folder, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(folder, "seraph", "config.yaml")
}

// readContexts reads the file of contexts. No file means no contexts. It refuses a file that others can
// read, because it holds tokens. No error shows a part of the file. The error is config.Problems.
func readContexts(file string) (contextFile, error) {
	var found contextFile
	if file == "" {
		return found, nil
	}

	text, err := readPrivate(file)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, config.Problems{fmt.Sprintf("read the file of contexts: %v", err)}
	}

	if err := yaml.UnmarshalWithOptions(text, &found, yaml.Strict()); err != nil {
		return contextFile{}, config.Problems{file + lineOf(err) + " is not a file of contexts: " +
			"repair it, or delete it and use `seraph config set-context`"}
	}

	return found, nil
}

// readPrivate reads a file that only its owner can read.
func readPrivate(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read

	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxContextFile {
		return nil, fmt.Errorf("%s is not a file of contexts", name)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others can read the tokens in %s (mode %04o): run chmod 600 %s",
			name, info.Mode().Perm(), name)
	}

	text := make([]byte, info.Size())
	n, err := file.ReadAt(text, 0)
	if n < len(text) && err != nil {
		return nil, err
	}

	return text, nil
}

// lineOf is the place of an error in a YAML file, as ":LINE".
func lineOf(err error) string {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return ""
	}
	return fmt.Sprintf(":%d", at.GetToken().Position.Line)
}

// write replaces the file in one step, so that it is whole at any moment, with mode 0600.
func (f contextFile) write(file string) (err error) {
	if file == "" {
		return config.Problems{"there is no folder for settings: set XDG_CONFIG_HOME or HOME"}
	}

	text, err := yaml.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode the contexts: %w", err)
	}

	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real // the link stays
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("write the file of contexts: %w", err)
	}

	temporary, err := os.CreateTemp(filepath.Dir(file), ".config-*.yaml") // with mode 0600
	if err != nil {
		return fmt.Errorf("write the file of contexts: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name())
		}
	}()

	_, err = temporary.Write(text)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return fmt.Errorf("write the file of contexts: %w", err)
	}
	if err := os.Rename(temporary.Name(), file); err != nil {
		return fmt.Errorf("write the file of contexts: %w", err)
	}

	return nil
}

// names lists the contexts.
func (f contextFile) names() []string {
	names := make([]string, 0, len(f.Contexts))
	for name := range f.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// find returns a context by its name.
func (f contextFile) find(name string) (savedContext, error) {
	saved, ok := f.Contexts[name]
	if ok {
		return saved, nil
	}

	known := "there are none, see `seraph config set-context --help`"
	if names := f.names(); len(names) > 0 {
		known = "there are " + strings.Join(names, ", ")
		if nearest := route.Nearest(name, names); nearest != "" {
			known = "did you mean " + nearest + "?"
		}
	}
	return saved, config.Problems{fmt.Sprintf("no context is called %q; %s", name, known)}
}

// healthDefaults is defaults for a question that needs no token: the file is not read where the
// environment has an address.
func (c *commands) healthDefaults() (config.ClientDefaults, string, error) {
	if c.contextName == "" && os.Getenv(config.Prefix+"API_URL") != "" {
		return config.ClientDefaults{}, "SERAPH_API_URL", nil
	}
	return c.defaults()
}

// defaults returns the address and token of the context to use, and where the address comes from, for
// people. The file is not read where the environment has both.
func (c *commands) defaults() (config.ClientDefaults, string, error) {
	address := os.Getenv(config.Prefix + "API_URL")
	token := os.Getenv(config.Prefix+"API_TOKEN") + os.Getenv(config.Prefix+"API_TOKEN_FILE")
	if c.contextName == "" && address != "" && token != "" {
		return config.ClientDefaults{}, "SERAPH_API_URL", nil
	}

	file, err := readContexts(c.o.ConfigFile)
	if err != nil {
		return config.ClientDefaults{}, "", err
	}

	name := c.contextName
	if name == "" {
		name = file.Current
	}
	if name == "" {
		source := "SERAPH_API_URL"
		if address == "" {
			source = "the default of SERAPH_API_URL"
		}
		return config.ClientDefaults{}, source, nil
	}

	saved, err := file.find(name)
	if err != nil {
		return config.ClientDefaults{}, "", err
	}
	if err := config.CheckAPIURL(saved.URL, saved.AllowHTTP); err != nil {
		return config.ClientDefaults{}, "", config.Problems{fmt.Sprintf("the address of context %s: %v", name, err)}
	}

	source := "context " + name
	preferred := c.contextName != ""
	if !preferred && address != "" {
		source = "SERAPH_API_URL"
	}
	return config.ClientDefaults{
		URL:       saved.URL,
		Token:     config.Secret(saved.Token),
		AllowHTTP: saved.AllowHTTP,
		Preferred: preferred,
	}, source, nil
}
