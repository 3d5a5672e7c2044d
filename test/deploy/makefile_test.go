package deploy

import (
	"strings"
	"testing"
)

// TestMakefile_BuildsWithOneSetOfFlags checks that every program is built with BUILD. With other flags each
// package would be compiled again, which takes minutes in a new clone.
func TestMakefile_BuildsWithOneSetOfFlags(t *testing.T) {
	builds := 0
	for line := range strings.Lines(read(t, "Makefile")) {
		switch {
		case strings.HasPrefix(line, "BUILD := .ci/with-progress "), strings.HasPrefix(line, "\t@$(BUILD) "):
			builds++
		case strings.Contains(line, "go build"), strings.Contains(line, "go run"), strings.Contains(line, "go install"):
			t.Errorf("got %q, want $(BUILD)", line)
		}
	}

	if builds < 3 {
		t.Errorf("got %d lines with BUILD, want it and its uses", builds)
	}
}
