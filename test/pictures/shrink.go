package main

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"slices"
)

// margin is what is left of the empty rows below the content, in pixels.
const margin = 12

// shrink cuts off the empty rows at the bottom, and writes a picture with at most 256 colors. It refuses a picture
// without an empty row: the page was higher than the window, and its end is missing.
func shrink(from, to string) error {
	file, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("open picture: %w", err)
	}
	defer file.Close()
	full, err := png.Decode(file)
	if err != nil {
		return fmt.Errorf("decode picture: %w", err)
	}

	bounds := full.Bounds()
	end := endOfContent(full)
	if end == bounds.Max.Y {
		return fmt.Errorf("the page is higher than the %d pixels of the window: enlarge it in screenshot", bounds.Dy())
	}

	bounds.Max.Y = min(bounds.Max.Y, end+margin)
	small := image.NewPaletted(bounds, commonColors(full, bounds))
	nearest := map[color.Color]uint8{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := full.At(x, y)
			i, ok := nearest[c]
			if !ok {
				i = uint8(small.Palette.Index(c))
				nearest[c] = i
			}
			small.SetColorIndex(x, y, i)
		}
	}

	out, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("create picture: %w", err)
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(out, small); err != nil {
		out.Close()
		return fmt.Errorf("write picture: %w", err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	return nil
}

// endOfContent returns the row below the last one that is not all in the color of the lower left corner.
func endOfContent(m image.Image) int {
	bounds := m.Bounds()
	empty := m.At(bounds.Min.X, bounds.Max.Y-1)
	for y := bounds.Max.Y - 1; y > bounds.Min.Y; y-- {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if m.At(x, y) != empty {
				return y + 1
			}
		}
	}
	return bounds.Min.Y + 1
}

// commonColors returns the 256 colors of a part of a picture that most pixels have.
func commonColors(m image.Image, bounds image.Rectangle) color.Palette {
	counts := map[color.Color]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[m.At(x, y)]++
		}
	}

	colors := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int {
		if order := cmp.Compare(counts[b], counts[a]); order != 0 {
			return order
		}
		return cmp.Compare(number(a), number(b))
	})
	return colors[:min(len(colors), 256)]
}

// number makes one number of a color, to sort colors that equally many pixels have.
func number(c color.Color) uint64 {
	r, g, b, a := c.RGBA()
	return uint64(r)<<48 | uint64(g)<<32 | uint64(b)<<16 | uint64(a)
}
