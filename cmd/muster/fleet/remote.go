package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/musterhq/muster/fsm"
)

const maxReply = 16 << 20 // bytes

// remote is a control endpoint of another process.
type remote struct {
	url    string
	client *http.Client
}

func newRemote(address string) *remote {
	return &remote{
		url: "http://" + address,
		client: &http.Client{
			Timeout:   readyWithin,
			Transport: &http.Transport{MaxConnsPerHost: inFlight, IdleConnTimeout: time.Minute},
		},
	}
}

func (r *remote) close() { r.client.CloseIdleConnections() }

// Act implements actor.
func (r *remote) Act(ctx context.Context, v Verb, a Action) (Cluster, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return Cluster{}, fmt.Errorf("pass an action on: %w", err)
	}
	var c Cluster
	err = r.do(ctx, http.MethodPost, "/v1/fleet/"+url.PathEscape(string(v)), body, &c)
	return c, err
}

// Cluster implements actor.
func (r *remote) Cluster(ctx context.Context, name string) (Cluster, error) {
	var c Cluster
	err := r.do(ctx, http.MethodGet, "/v1/fleet/cluster/"+url.PathEscape(name), nil, &c)
	return c, err
}

// Counts implements actor.
func (r *remote) Counts(ctx context.Context) (Counts, error) {
	var c Counts
	err := r.do(ctx, http.MethodGet, "/v1/fleet", nil, &c)
	return c, err
}

func (r *remote) do(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask another process of the fleet: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return fmt.Errorf("ask another process of the fleet: %w", err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err != nil {
		return fmt.Errorf("ask another process of the fleet: %w", err)
	}
	if response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(raw, into); err != nil {
			return fmt.Errorf("ask another process of the fleet: %w", err)
		}
		return nil
	}
	var failure struct {
		Error *fsm.Error `json:"error"`
	}
	if err := json.Unmarshal(raw, &failure); err != nil || failure.Error == nil {
		return fmt.Errorf("ask another process of the fleet: %s", response.Status)
	}
	return failure.Error
}
