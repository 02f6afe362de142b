package trace

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Config says where spans go. Without an endpoint nothing is followed.
type Config struct {
	Endpoint    string  // URL of a collector that takes OTLP over HTTP; /v1/traces is meant where it has no path
	HeadersFile string  // lines of NAME: VALUE to send with each request; only its owner and its group may read it
	CAFile      string  // PEM: whom the collector's certificate is judged by; the system's authorities where there is none
	Ratio       float64 // share of requests and claims that are followed, 0 to 1
}

// On says whether anything is followed.
func (c Config) On() bool { return c.Endpoint != "" }

// Validate says what is wrong and what would be right. Headers are secrets: only insecure lets them leave the machine in the clear.
func (c Config) Validate(insecure bool) error {
	if err := CheckRatio(strconv.FormatFloat(c.Ratio, 'g', -1, 64)); err != nil {
		return fmt.Errorf("-trace-ratio %w", err)
	}
	if !c.On() {
		for _, f := range [][2]string{{"-trace-headers-file", c.HeadersFile}, {"-trace-ca-file", c.CAFile}} {
			if f[1] != "" {
				return fmt.Errorf("%s without -trace-endpoint: say where the collector is", f[0])
			}
		}
		return nil
	}
	if err := CheckEndpoint(c.Endpoint); err != nil {
		return fmt.Errorf("-trace-endpoint %w", err)
	}
	u, err := c.url()
	switch {
	case err != nil:
		return fmt.Errorf("-trace-endpoint %w", err)
	case c.CAFile != "" && u.Scheme != "https":
		return fmt.Errorf("-trace-ca-file with -trace-endpoint %s: a collector shows a certificate over https alone", c.Endpoint)
	case c.HeadersFile != "" && u.Scheme != "https" && !insecure && !loopback(u.Hostname()):
		return fmt.Errorf("-trace-headers-file with -trace-endpoint %s would send secrets in the clear: use https, or -insecure", c.Endpoint)
	}
	return nil
}

// CheckFiles says what is wrong with the files that New and Prepare would read, by the names of their options.
func (c Config) CheckFiles() error {
	if !c.On() {
		return nil
	}
	_, wrong := readHeaders(c.HeadersFile)
	_, err := readRoots(c.CAFile)
	return errors.Join(wrong, err)
}

// CheckEndpoint judges the URL of a collector.
func CheckEndpoint(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("is no URL; wanted is one like http://127.0.0.1:4318")
	case u.User != nil: // first of all: the others show the whole URL
		return errors.New("holds credentials; they go into the file of -trace-headers-file, as authorization: …")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("%q is no URL of a collector; wanted is one like http://127.0.0.1:4318, where OTLP over HTTP is spoken", text)
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("holds a query or a fragment; wanted is scheme, host, port and perhaps a path")
	}
	return nil
}

// CheckRatio judges a share.
func CheckRatio(text string) error {
	r, err := strconv.ParseFloat(text, 64)
	if err != nil || !(r >= 0 && r <= 1) {
		return fmt.Errorf("%s is not between 0 and 1", text)
	}
	return nil
}

// url is the address that spans are posted to.
func (c Config) url() (*url.URL, error) {
	u, err := url.Parse(c.Endpoint)
	if err == nil && (u.Path == "" || u.Path == "/") {
		u.Path = "/v1/traces"
	}
	return u, err
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
