package httpd_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	httpd "github.com/musterhq/muster/http"
)

// A program that lists the clusters that are not well.
func ExampleClient() {
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `[{"name": "orders", "health": "degraded", "reasons": ["node_unreachable"]}]`)
	}))
	defer peer.Close()
	ctx := context.Background()

	c, err := httpd.NewClient(httpd.ClientConfig{Address: peer.URL, Token: "secret", Retry: 10 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	for cluster, err := range httpd.Rows(ctx, httpd.List{Filter: `health != "healthy"`}, c.Clusters) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(cluster.Name, cluster.Health, cluster.Reasons)
	}
	// Output: orders degraded [node_unreachable]
}
