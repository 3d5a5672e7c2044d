package main

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// TestShrink_KeepsTheContent shrinks a picture with more than 256 colors whose lower half is empty.
func TestShrink_KeepsTheContent(t *testing.T) {
	const width, height, content = 40, 100, 30
	full := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := color.RGBA{R: 255, G: 255, B: 255, A: 255}
			if y < content && x > 0 {
				c = color.RGBA{R: uint8(y * 8), G: uint8(x * 6), A: 255}
			}
			full.Set(x, y, c)
		}
	}

	from, to := write(t, full), filepath.Join(t.TempDir(), "to.png")
	if err := shrink(from, to); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}

	if want := image.Rect(0, 0, width, content+margin); got.Bounds() != want {
		t.Errorf("got bounds %v, want %v", got.Bounds(), want)
	}
	if _, ok := got.(*image.Paletted); !ok {
		t.Errorf("got a %T, want a palette", got)
	}
	if r, g, b, _ := got.At(0, content+1).RGBA(); r != 0xffff || g != 0xffff || b != 0xffff {
		t.Errorf("got %v below the content, want white", got.At(0, content+1))
	}
}

// TestShrink_RefusesWhatIsCut wants no picture of a page that did not fit into the window.
func TestShrink_RefusesWhatIsCut(t *testing.T) {
	full := image.NewRGBA(image.Rect(0, 0, 40, 100))
	for y := range 100 {
		full.Set(20, y, color.RGBA{R: 200, A: 255})
	}

	to := filepath.Join(t.TempDir(), "to.png")
	if err := shrink(write(t, full), to); err == nil {
		t.Error("got no error, want one: there is content in the last row")
	}
	if _, err := os.Stat(to); !os.IsNotExist(err) {
		t.Errorf("got a picture (%v), want none", err)
	}
}

// TestMatching_RefusesAPatternWithoutFiles wants an error in place of no pictures.
func TestMatching_RefusesAPatternWithoutFiles(t *testing.T) {
	golden := t.TempDir()
	if err := os.WriteFile(filepath.Join(golden, "card-running.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		name, pattern string
		want          int // pictures; 0: an error
	}{
		{name: "one file", pattern: "card-*", want: 2},
		{name: "no file", pattern: "modal-*"},
		{name: "no pattern", pattern: "["},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := matching(golden, test.pattern)
			if len(got) != test.want || (err != nil) != (test.want == 0) {
				t.Errorf("got %v, %v, want %d pictures", got, err, test.want)
			}
		})
	}
}

// write writes a picture into a file of its own.
func write(t *testing.T, m image.Image) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "from.png")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(file, m); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}
