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

	dir := t.TempDir()
	from, to := filepath.Join(dir, "from.png"), filepath.Join(dir, "to.png")
	file, err := os.Create(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(file, full); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	if err := shrink(from, to); err != nil {
		t.Fatal(err)
	}
	file, err = os.Open(to)
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
