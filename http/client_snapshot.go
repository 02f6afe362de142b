package httpd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// backupTimeout is how long a whole backup may take on its way.
const backupTimeout = time.Hour

// Snapshot copies a backup of the state to a writer, as it comes: whether it is whole is for its reader to find.
func (c *Client) Snapshot(ctx context.Context, o Read, to io.Writer) (ReadMeta, error) {
	ctx, cancel := context.WithTimeout(ctx, backupTimeout)
	defer cancel()
	res, err := c.send(ctx, call{method: http.MethodGet, path: path("snapshot"), query: o.query()})
	if err != nil {
		return ReadMeta{}, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(to, res.Body); err != nil {
		return ReadMeta{}, fmt.Errorf("receive the backup: %w", err)
	}
	return readMeta(res.Header), nil
}

// Restore replaces the state of the group with a backup.
func (c *Client) Restore(ctx context.Context, from io.Reader) (Restored, error) {
	var out Restored
	_, err := c.do(ctx, call{method: http.MethodPut, path: path("snapshot"), raw: from, span: backupTimeout}, &out)
	return out, err
}
