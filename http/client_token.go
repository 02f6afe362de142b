package httpd

import (
	"context"
	"net/http"
)

// Bootstrap makes the first token of the group.
func (c *Client) Bootstrap(ctx context.Context, b Bootstrap) (TokenMade, error) {
	var out TokenMade
	_, err := c.do(ctx, call{method: http.MethodPut, path: path("acl", "bootstrap"), body: b}, &out)
	return out, err
}

// CreateToken makes a token. Its secret is in the answer and nowhere else.
func (c *Client) CreateToken(ctx context.Context, t NewToken) (TokenMade, error) {
	var out TokenMade
	_, err := c.do(ctx, call{method: http.MethodPut, path: path("acl", "token"), body: t}, &out)
	return out, err
}

// DeleteToken takes a token away; requests that it holds open end.
func (c *Client) DeleteToken(ctx context.Context, accessor string) (Ack, error) {
	return c.write(ctx, call{method: http.MethodDelete, path: path("acl", "token", accessor)})
}

// Tokens reads a page of the tokens.
func (c *Client) Tokens(ctx context.Context, o List) (Page[TokenRow], error) {
	return list[TokenRow](ctx, c, o, "acl", "tokens")
}

// Token reads one token.
func (c *Client) Token(ctx context.Context, accessor string, o Read) (TokenRow, ReadMeta, error) {
	return get[TokenRow](ctx, c, call{path: path("acl", "token", accessor), query: o.query(), span: o.span()})
}

// OwnToken reads the token that the client shows.
func (c *Client) OwnToken(ctx context.Context, o Read) (TokenRow, ReadMeta, error) {
	return c.Token(ctx, "self", o)
}
