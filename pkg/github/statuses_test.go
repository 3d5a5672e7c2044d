package github

import (
	"fmt"
	"net/http"
	"testing"
)

func TestStatuses_AllPagesOrAnError(t *testing.T) {
	pages, total := 0, 3
	c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
		pages++
		if pages < total {
			linkNextPage(w, r, pages+1)
		}

		// Newest first. Each page repeats a status, as if another was added in the meantime.
		const item = `{"id":%d,"state":"queued","created_at":"2026-11-22T12:00:00Z"}`
		_, _ = fmt.Fprintf(w, "["+item+","+item+"]", 100-pages, 99-pages)
	})

	t.Run("all pages", func(t *testing.T) {
		got, err := c.Statuses(t.Context(), request)
		if err != nil || len(got) != 4 || got[0].ID != 96 || got[3].ID != 99 {
			t.Errorf("got %+v (%v), want the ids 96 to 99", got, err)
		}
	})

	t.Run("list without end", func(t *testing.T) {
		pages, total = 0, 1<<30
		got, err := c.Statuses(t.Context(), request)
		if err == nil || pages != maxStatusPages {
			t.Errorf("got %d statuses after %d pages, want an error after %d", len(got), pages, maxStatusPages)
		}
	})
}
