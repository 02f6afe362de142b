package httpd

import (
	"context"
	"net/http"

	"github.com/musterhq/muster/fsm"
)

// Keys is the keyring of gossip, on all peers of the group. Keys are told by their ids; only InstallKey takes a key.
//
// Each change is made on every peer that answers. The error says which did not follow, as fsm.CodeUnknown; the change may
// then be asked for again. What would cut peers off is refused with fsm.CodeConflict and changes nothing anywhere.
type Keys interface {
	Keyring(ctx context.Context) (Keyring, error)
	// KeyID is the id of a key, which may be given by its id, too.
	KeyID(key string) (string, error)
	InstallKey(ctx context.Context, key string) (Keyring, error)
	UseKey(ctx context.Context, id string) (Keyring, error)
	RemoveKey(ctx context.Context, id string) (Keyring, error)
}

// Keyring is which gossip keys the peers hold.
type Keyring struct {
	Keys  []GossipKey   `json:"keys"`
	Peers []KeyringPeer `json:"peers"`
}

// GossipKey is one key and how many peers hold it, and encrypt with it.
type GossipKey struct {
	ID    string `json:"id"`
	Peers int    `json:"peers"`
	InUse int    `json:"in_use"`
}

// KeyringPeer is one peer's keyring, the key in use first, or why it did not say.
type KeyringPeer struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Keys  []string `json:"keys"`
	Error string   `json:"error,omitempty"`
}

// KeyChange is what a change of the keyring is about: the key, or where it is held already its id.
type KeyChange struct {
	Key string `json:"key"`
}

func (s *Server) keyringMethods() methods {
	return methods{
		"GET":    {s.showKeyring, nil, fsm.MayManage},
		"POST":   {s.installKey, nil, fsm.MayManage},
		"PUT":    {s.useKey, nil, fsm.MayManage},
		"DELETE": {s.removeKey, nil, fsm.MayManage},
	}
}

func (s *Server) showKeyring(w http.ResponseWriter, r *http.Request) error {
	k, err := s.Keys.Keyring(r.Context())
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, k)
}

func (s *Server) installKey(w http.ResponseWriter, r *http.Request) error {
	return s.changeKeyring(w, r, "keyring_install", s.Keys.InstallKey)
}

func (s *Server) useKey(w http.ResponseWriter, r *http.Request) error {
	return s.changeKeyring(w, r, "keyring_use", s.Keys.UseKey)
}

func (s *Server) removeKey(w http.ResponseWriter, r *http.Request) error {
	return s.changeKeyring(w, r, "keyring_remove", s.Keys.RemoveKey)
}

// changeKeyring checks the key, records the act under the key's id and does it.
func (s *Server) changeKeyring(
	w http.ResponseWriter, r *http.Request, action string, do func(context.Context, string) (Keyring, error),
) error {
	var c KeyChange
	if err := readBody(w, r, &c); err != nil {
		return err
	}
	id, err := s.Keys.KeyID(c.Key)
	if err != nil {
		return fsm.Invalid("key", "%s", err)
	}
	key := id
	if action == "keyring_install" {
		if key = c.Key; key == id {
			return fsm.Invalid("key", "is an id; to install a key give the key itself, which muster keygen makes")
		}
	}
	if err := s.record(r, action, id); err != nil {
		return err
	}
	k, err := do(r.Context(), key)
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, k)
}

// Keyring reads which gossip keys the peers hold.
func (c *Client) Keyring(ctx context.Context) (Keyring, error) {
	out, _, err := get[Keyring](ctx, c, call{path: path("operator", "keyring")})
	return out, err
}

// InstallKey adds a gossip key, in base64, on all peers.
func (c *Client) InstallKey(ctx context.Context, key string) (Keyring, error) {
	return c.changeKeyring(ctx, http.MethodPost, key)
}

// UseKey has all peers encrypt with a key they hold, which is given by its id or itself.
func (c *Client) UseKey(ctx context.Context, key string) (Keyring, error) {
	return c.changeKeyring(ctx, http.MethodPut, key)
}

// RemoveKey takes a key, given by its id or itself, from all peers.
func (c *Client) RemoveKey(ctx context.Context, key string) (Keyring, error) {
	return c.changeKeyring(ctx, http.MethodDelete, key)
}

func (c *Client) changeKeyring(ctx context.Context, method, key string) (Keyring, error) {
	var out Keyring
	_, err := c.do(ctx, call{method: method, path: path("operator", "keyring"), body: KeyChange{Key: key}}, &out)
	return out, err
}
