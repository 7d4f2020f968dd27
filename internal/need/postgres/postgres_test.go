//go:build unix

package postgres_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/mainstemio/mainstem/internal/need/postgres"
)

func TestAServerRunsUntilTheTestEnds(t *testing.T) {
	var dir string
	t.Run("running", func(t *testing.T) {
		dsn := postgres.Start(t)
		dir = strings.TrimPrefix(strings.Fields(dsn)[0], "host=")
		db, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		var order, zone string
		if err := db.QueryRow(t.Context(), "SELECT string_agg(c, '' ORDER BY c), current_setting('timezone') FROM unnest(ARRAY['b','a','B','ä']) AS c").Scan(&order, &zone); err != nil {
			t.Fatal(err)
		}
		if order != "Babä" || zone != "UTC" {
			t.Errorf("order %q, time zone %q", order, zone)
		}
		if err := db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if left, err := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 || err != nil {
		t.Errorf("left behind: %q, %v", left, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v", dir, err)
	}
}
