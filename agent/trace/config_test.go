package trace_test

import (
	"strings"
	"testing"

	"github.com/musterhq/muster/agent/trace"
)

func TestConfig(t *testing.T) {
	tests := []struct {
		name     string
		config   trace.Config
		insecure bool
		want     string // in the error; "" is none
	}{
		{"off", trace.Config{Ratio: 1}, false, ""},
		{"on this machine", trace.Config{Endpoint: "http://127.0.0.1:4318", HeadersFile: "h", Ratio: 1}, false, ""},
		{"by name", trace.Config{Endpoint: "http://localhost:4318", HeadersFile: "h"}, false, ""},
		{"elsewhere", trace.Config{Endpoint: "http://10.0.0.9:4318/otlp/v1/traces", Ratio: 0.01}, false, ""},
		{"elsewhere over TLS", trace.Config{Endpoint: "https://traces.example.com", HeadersFile: "h", CAFile: "ca.pem"}, false, ""},
		{"secrets in the clear", trace.Config{Endpoint: "http://10.0.0.9:4318", HeadersFile: "h"}, false, "would send secrets in the clear: use https"},
		{"secrets in the clear, said so", trace.Config{Endpoint: "http://10.0.0.9:4318", HeadersFile: "h"}, true, ""},
		{"headers alone", trace.Config{HeadersFile: "h"}, false, "-trace-headers-file without -trace-endpoint"},
		{"an authority alone", trace.Config{CAFile: "ca.pem"}, false, "-trace-ca-file without -trace-endpoint"},
		{"an authority without TLS", trace.Config{Endpoint: "http://127.0.0.1:4318", CAFile: "ca.pem"}, false, "over https alone"},
		{"no scheme", trace.Config{Endpoint: "127.0.0.1:4318"}, false, "wanted is one like http://127.0.0.1:4318"},
		{"a name as the scheme", trace.Config{Endpoint: "collector:4318"}, false, `"collector:4318" is no URL of a collector`},
		{"gRPC", trace.Config{Endpoint: "grpc://collector:4317"}, false, "where OTLP over HTTP is spoken"},
		{"no host", trace.Config{Endpoint: "http://:4318"}, false, "is no URL of a collector"},
		{"a query", trace.Config{Endpoint: "http://collector/?key=canary"}, false, "holds a query"},
		{"a password", trace.Config{Endpoint: "http://me:canary@collector:4318"}, false, "holds credentials"},
		{"a password in what is no URL", trace.Config{Endpoint: "ftp://me:canary@collector"}, false, "holds credentials"},
		{"what cannot be read", trace.Config{Endpoint: "http://me:canary@coll ector"}, false, "is no URL"},
		{"too much", trace.Config{Endpoint: "http://127.0.0.1:4318", Ratio: 1.5}, false, "-trace-ratio 1.5 is not between 0 and 1"},
		{"less than nothing", trace.Config{Ratio: -1}, false, "-trace-ratio -1 is not between 0 and 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.config.Validate(tt.insecure)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("%v; wanted is no error", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v; wanted is %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "canary"):
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
	for text, ok := range map[string]bool{"0": true, "1": true, "0.25": true, "1.01": false, "-0.1": false, "NaN": false, "all": false} {
		if err := trace.CheckRatio(text); (err == nil) != ok {
			t.Errorf("the share %s: %v", text, err)
		}
	}
}
