package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

// prometheus is what Prometheus takes for scraping a fleet.
type prometheus struct {
	micros float64 // CPU of a scrape
	perSec float64 // scrapes
	rss    float64 // bytes
}

var errNoPrometheus = errors.New("no Prometheus is to be had, its figures are left out")

// prometheus measures the real one while it scrapes the same nodes as often as peers refresh them: at /metrics, where a node
// says about what it says in the node protocol, since an answer in JSON is a failed scrape and less work.
func (b *bench) prometheus(ctx context.Context, f *fleet, interval time.Duration) (prometheus, error) {
	step("Prometheus")
	bin, err := rig.Tool(ctx, "prometheus")
	if err != nil {
		return prometheus{}, fmt.Errorf("%w: %w", errNoPrometheus, err)
	}
	at, err := b.rig(ctx)
	if err != nil {
		return prometheus{}, err
	}
	addr, err := rig.Addr()
	if err != nil {
		return prometheus{}, err
	}
	config := filepath.Join(at.Dir, "prometheus.yml")
	if err := writeScrapes(config, f.file, interval); err != nil {
		return prometheus{}, err
	}
	p, err := at.Start("prometheus", bin, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(at.Dir, "tsdb"),
		"--web.listen-address="+addr, "--log.level=warn")
	if err != nil {
		return prometheus{}, err
	}
	until, cancel := context.WithTimeout(ctx, time.Minute+2*interval)
	defer cancel()
	if err := rig.Until(until, "Prometheus to have scraped all nodes", func(ctx context.Context) error {
		m, err := scrape(ctx, addr)
		if n := m.sum(scrapes); err == nil && n < float64(f.size()) {
			err = fmt.Errorf("%.0f scrapes of %d nodes; see %s", n, f.size(), p.Log)
		}
		return err
	}); err != nil {
		return prometheus{}, err
	}
	if !wait(ctx, b.warmup) {
		return prometheus{}, context.Cause(ctx)
	}
	out, err := b.scraping(ctx, p, addr)
	if err != nil {
		return prometheus{}, err
	}
	return out, p.Stop()
}

// scrapes counts them, as the intervals between two of the same node.
const scrapes = "prometheus_target_interval_length_seconds_count"

// scraping measures a Prometheus that is under way.
func (b *bench) scraping(ctx context.Context, p *rig.Process, addr string) (out prometheus, err error) {
	at := func() (m metrics, used process, when time.Time, err error) {
		if m, err = scrape(ctx, addr); err == nil {
			used, err = look(p.PID())
		}
		return m, used, time.Now(), err
	}
	m, used, when, err := at()
	if err != nil {
		return out, err
	}
	if !wait(ctx, b.measure) {
		return out, context.Cause(ctx)
	}
	m2, used2, when2, err := at()
	if err != nil {
		return out, err
	}
	up, err := countUp(ctx, addr)
	if err != nil {
		return out, err
	}
	n := m2.sum(scrapes) - m.sum(scrapes)
	if n == 0 || up == 0 {
		return out, fmt.Errorf("%.0f scrapes, %s nodes up; see %s", n, short(up), p.Log)
	}
	return prometheus{micros: (used2.cpu - used.cpu) * 1e6 / n, perSec: n / when2.Sub(when).Seconds(), rss: used2.rss}, nil
}

// countUp asks Prometheus how many targets it sees up.
func countUp(ctx context.Context, addr string) (float64, error) {
	text, err := get(ctx, "http://"+addr+"/api/v1/query?query="+url.QueryEscape("scalar(sum(up))"))
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct {
			Result []json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Data.Result) != 2 {
		return 0, fmt.Errorf("answer of Prometheus %s: %w", text, err)
	}
	var up float64
	var s string
	if err := json.Unmarshal(answer.Data.Result[1], &s); err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(s, &up)
	return up, err
}

// writeScrapes writes a configuration that has every node of a discovery file scraped once an interval, and its list of
// targets beside it.
func writeScrapes(config, file string, interval time.Duration) error {
	urls, err := targets(file)
	if err != nil {
		return err
	}
	list := make([]string, 0, len(urls))
	for _, u := range urls {
		at, err := url.Parse(u)
		if err != nil {
			return err
		}
		list = append(list, at.Host)
	}
	raw, err := json.Marshal([]map[string]any{{"targets": list}})
	if err != nil {
		return err
	}
	sd := config + ".json"
	if err := os.WriteFile(sd, raw, 0o600); err != nil {
		return err
	}
	text := fmt.Sprintf(`scrape_configs:
- job_name: fleet
  scrape_interval: %s
  scrape_timeout: %[1]s
  file_sd_configs: [{files: [%q]}]
`, promDuration(interval), sd)
	return os.WriteFile(config, []byte(text), 0o600)
}

// promDuration writes a duration as Prometheus reads it, to the millisecond.
func promDuration(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }
