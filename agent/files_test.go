package agent

import "testing"

func TestSharedFiles(t *testing.T) {
	for _, c := range []struct{ files, polls, open int }{
		{1024, 256, 512}, {4096, 1024, 2048}, {20_000, 5000, 15_648}, {65_536, 16_384, 61_184}, {1 << 17, 16_384, 126_720},
	} {
		polls, open := shared(c.files)
		if polls != c.polls || open != c.open {
			t.Errorf("of %d files %d are for polls and %d for connections, want %d and %d", c.files, polls, open, c.polls, c.open)
		}
		if polls > open || open >= c.files {
			t.Errorf("%d files: %d polls, %d connections", c.files, polls, open)
		}
	}
}
