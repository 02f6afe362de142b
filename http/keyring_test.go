package httpd_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

const keyID = "00112233445566ff"

// keys is a group with one key, of which everything but "ring" is no key.
type keys struct{ *peer }

func (k keys) Keyring(context.Context) (httpd.Keyring, error) {
	return httpd.Keyring{Keys: []httpd.GossipKey{{ID: keyID, Peers: 1, InUse: 1}}, Peers: []httpd.KeyringPeer{
		{ID: "p1", Name: "peer-a", Keys: []string{keyID}},
	}}, nil
}

func (k keys) KeyID(key string) (string, error) {
	if !slices.Contains([]string{"ring", keyID}, key) {
		return "", errors.New("is no key")
	}
	return keyID, nil
}

func (k keys) InstallKey(ctx context.Context, key string) (httpd.Keyring, error) {
	return k.did(ctx, "install "+key)
}

func (k keys) UseKey(ctx context.Context, id string) (httpd.Keyring, error) {
	return k.did(ctx, "use "+id)
}

func (k keys) RemoveKey(ctx context.Context, id string) (httpd.Keyring, error) {
	return k.did(ctx, "remove "+id)
}

func (k keys) did(ctx context.Context, act string) (httpd.Keyring, error) {
	k.acts = append(k.acts, act)
	return k.Keyring(ctx)
}

// Only the installing takes a key; what is told of any step is the key's id.
func TestKeyring(t *testing.T) {
	f := newFace(t)
	if got := into[httpd.Keyring](f.get("/v1/operator/keyring"), http.StatusOK); len(got.Keys) != 1 || len(got.Peers) != 1 {
		t.Errorf("keyring is %+v", got)
	}
	for _, act := range []struct{ method, key, told, event string }{
		{"POST", "ring", "install ring", "keyring_install"},
		{"PUT", "ring", "use " + keyID, "keyring_use"},
		{"PUT", keyID, "use " + keyID, "keyring_use"},
		{"DELETE", "ring", "remove " + keyID, "keyring_remove"},
		{"DELETE", keyID, "remove " + keyID, "keyring_remove"},
	} {
		f.acts = nil
		into[httpd.Keyring](f.do(act.method, "/v1/operator/keyring", httpd.KeyChange{Key: act.key}), http.StatusOK)
		if len(f.acts) != 1 || f.acts[0] != act.told {
			t.Errorf("%s did %v", act.method, f.acts)
		}
		part, ok := f.lastEvent().After.(*fsm.ActionPart)
		if !ok || part.Action != act.event || part.Subject != keyID {
			t.Errorf("%s is told as %+v", act.method, f.lastEvent().After)
		}
	}
	f.acts = nil
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		f.do(method, "/v1/operator/keyring", httpd.KeyChange{Key: "hunter2"}).blames("key")
		f.do(method, "/v1/operator/keyring", httpd.KeyChange{}).blames("key")
	}
	f.do("POST", "/v1/operator/keyring", httpd.KeyChange{Key: keyID}).blames("key")
	if len(f.acts) > 0 {
		t.Errorf("did %s", strings.Join(f.acts, ", "))
	}
}
