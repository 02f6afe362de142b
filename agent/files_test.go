package agent

import "testing"

func TestSharedFiles(t *testing.T) {
	for _, c := range []struct{ files, polls, open, waiting int }{
		{1024, 256, 704, 64},
		{4096, 1024, 3584, 256},
		{20_000, 5000, 18_494, 1250},
		{65_536, 16_384, 61_184, 4096},
		{1 << 17, 16_384, 126_720, 4096},
	} {
		polls, open, waiting := shared(c.files)
		if polls != c.polls || open != c.open || waiting != c.waiting {
			t.Errorf("of %d files: %d polls, %d connections, %d waiting; want %d, %d, %d",
				c.files, polls, open, waiting, c.polls, c.open, c.waiting)
		}
		if polls > open || open+waiting >= c.files {
			t.Errorf("of %d files: %d polls, %d connections, %d waiting", c.files, polls, open, waiting)
		}
	}
}
