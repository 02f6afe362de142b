package trace

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"

	"github.com/musterhq/muster/agent/namedfile"
)

// Dial is how a collector is reached.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

const (
	dialWait   = 5 * time.Second
	maxHeaders = 64 << 10 // bytes of the file

	maxAuthorities = 1 << 20 // bytes of that file
)

// courier carries requests to the collector on a way that can be replaced while it runs.
type courier struct {
	dial Dial
	way  atomic.Pointer[way]
}

// way is how the collector is reached and what it is shown.
type way struct {
	headers http.Header
	over    *http.Transport
}

// prepare reads the files of a configuration: the way that they show.
func (c *courier) prepare(cfg Config) (*way, error) {
	headers, err := readHeaders(cfg.HeadersFile)
	if err != nil {
		return nil, err
	}
	roots, err := readRoots(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	return &way{headers: headers, over: &http.Transport{
		DialContext: c.dial, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: dialWait, MaxIdleConns: 1, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}}, nil
}

// take goes another way from now on.
func (c *courier) take(next *way) {
	if was := c.way.Swap(next); was != nil {
		was.over.CloseIdleConnections()
	}
}

// RoundTrip is http.RoundTripper's.
func (c *courier) RoundTrip(r *http.Request) (*http.Response, error) {
	w := c.way.Load()
	r = r.Clone(r.Context())
	maps.Copy(r.Header, w.headers)
	return w.over.RoundTrip(r)
}

// hide takes the headers out of what a collector said: it may repeat what it was sent. Of one such as Bearer TOKEN each part is one.
func (c *courier) hide(said string) string {
	for _, values := range c.way.Load().headers {
		for _, value := range values {
			said = strings.ReplaceAll(said, value, "…")
			for i, part := range strings.Fields(value) {
				if i > 0 {
					said = strings.ReplaceAll(said, part, "…")
				}
			}
		}
	}
	return said
}

func (c *courier) close() { c.way.Load().over.CloseIdleConnections() }

// exporter posts spans. Everything that the library could take from the environment is said.
func (c *courier) exporter(ctx context.Context, cfg Config) (*otlptrace.Exporter, error) {
	u, err := cfg.url()
	if err != nil {
		return nil, err
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // headers go nowhere else
	return otlptrace.New(ctx, otlptracehttp.NewClient(
		otlptracehttp.WithTLSClientConfig(nil), otlptracehttp.WithEndpointURL(u.String()),
		otlptracehttp.WithHTTPClient(&http.Client{Transport: c, CheckRedirect: stay}),
		otlptracehttp.WithHeaders(map[string]string{}), otlptracehttp.WithTimeout(sendWait),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression), otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: time.Second, MaxInterval: 5 * time.Second, MaxElapsedTime: sendWait,
		}),
	))
}

func readRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := namedfile.Read(path, namedfile.Rules{Most: maxAuthorities})
	if err != nil {
		return nil, fmt.Errorf("-trace-ca-file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("-trace-ca-file: %s holds no certificate in PEM", path)
	}
	return roots, nil
}

// readHeaders reads a file that only its owner and its group may read. Its errors show no value.
func readHeaders(path string) (http.Header, error) {
	if path == "" {
		return nil, nil
	}
	headers, err := openHeaders(path)
	if err != nil {
		return nil, fmt.Errorf("-trace-headers-file: %w", err)
	}
	return headers, nil
}

func openHeaders(path string) (http.Header, error) {
	text, err := namedfile.Read(path, namedfile.Rules{Most: maxHeaders, Mode: checkMode})
	if err != nil {
		return nil, err
	}
	headers, err := parseHeaders(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return headers, nil
}

func checkMode(path string, mode fs.FileMode) error {
	if mode&0o037 != 0 {
		return fmt.Errorf("%s is open to others (mode %04o): chmod 640 %s", path, mode, path)
	}
	return nil
}

// ownHeaders are those that the body of a request decides.
var ownHeaders = []string{"Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding", "Host"}

func parseHeaders(text []byte) (http.Header, error) {
	out := http.Header{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxHeaders+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok || value == "" || strings.ContainsFunc(name, notInName) || name == "":
			return nil, fmt.Errorf("line %d is not NAME: VALUE, as in authorization: Bearer …", n)
		case slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)):
			return nil, fmt.Errorf("line %d: the header %s follows from what is sent: leave it out", n, name)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return nil, fmt.Errorf("line %d: the value of %s holds a control character", n, name)
		}
		out.Add(name, value)
	}
	return out, errors.Join(lines.Err())
}

// notInName says whether a header's name may not hold a character.
func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}
