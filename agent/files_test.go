package agent

import "testing"

func TestSharedFiles(t *testing.T) {
	for _, c := range []struct{ files, polls, idle int }{
		{1024, 256, 512}, {4096, 1024, 2048}, {20_000, 5000, 10_648}, {65_536, 16_384, 44_800}, {1 << 17, 16_384, 110_336},
	} {
		polls, idle := shared(c.files)
		if polls != c.polls || idle != c.idle {
			t.Errorf("of %d files %d are for polls and %d for idle connections, want %d and %d", c.files, polls, idle, c.polls, c.idle)
		}
		if polls+idle > c.files {
			t.Errorf("%d files are divided into %d", c.files, polls+idle)
		}
	}
}
