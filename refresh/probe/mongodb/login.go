package mongodb

import (
	"crypto/md5" //nolint:gosec // SCRAM-SHA-1 as MongoDB does it takes this for the password
	"encoding/hex"
	"slices"
	"strings"

	"github.com/xdg-go/scram"
	"github.com/xdg-go/stringprep"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const (
	scram1   = "SCRAM-SHA-1"
	scram256 = "SCRAM-SHA-256"
)

// maxSteps bounds the messages of a login. Two are needed, and a third by servers before 4.4.
const maxSteps = 4

// logIn goes through a login to its end.
func (p *Prober) logIn(c *client) error {
	password, err := p.login.Reveal(p.env)
	if err != nil {
		return err
	}
	mechanism, err := p.mechanism(c)
	if err != nil {
		return err
	}
	talk, err := conversation(mechanism, p.login.Username, password)
	if err != nil {
		return refresh.NewFault(fsm.ReasonAuth, "username or password holds what a login cannot")
	}
	return p.converse(c, mechanism, talk)
}

// mechanism is the best that the server has for this user. One that knows no such user names none, and refuses later.
func (p *Prober) mechanism(c *client) (string, error) {
	hello, err := c.askHello(bson.E{Key: "saslSupportedMechs", Value: p.source + "." + p.login.Username})
	if err != nil {
		return "", err
	}
	list, named := hello.Lookup("saslSupportedMechs").ArrayOK()
	if !named {
		return scram1, nil
	}
	values, err := list.Values()
	if err != nil {
		return "", notMongoDB()
	}
	var offered []string
	for _, v := range values {
		if name, ok := v.StringValueOK(); ok {
			offered = append(offered, name)
		}
	}
	for _, known := range []string{scram256, scram1} {
		if slices.Contains(offered, known) {
			return known, nil
		}
	}
	return "", refresh.NewFault(fsm.ReasonAuth, "the user has no login by SCRAM, only by %.100s", strings.Join(offered, ", "))
}

// conversation begins a login. The name is sent as it is; the password is normalised, or hashed, as MongoDB wants it.
func conversation(mechanism, username, password string) (*scram.ClientConversation, error) {
	hash := scram.SHA256
	if mechanism == scram1 {
		sum := md5.Sum([]byte(username + ":mongo:" + password)) //nolint:gosec // see the import
		hash, password = scram.SHA1, hex.EncodeToString(sum[:])
	} else {
		var err error
		if password, err = stringprep.SASLprep.Prepare(password); err != nil {
			return nil, err
		}
	}
	client, err := hash.NewClientUnprepped(username, password, "")
	if err != nil {
		return nil, err
	}
	return client.NewConversation(), nil
}

// converse exchanges messages until both sides are content. What goes wrong in them is not repeated: it is of a login.
func (p *Prober) converse(c *client, mechanism string, talk *scram.ClientConversation) error {
	var said string // by the server
	command := bson.D{
		{Key: "saslStart", Value: 1},
		{Key: "mechanism", Value: mechanism},
		{Key: "options", Value: bson.D{{Key: "skipEmptyExchange", Value: true}}},
	}
	for range maxSteps {
		var message string
		if !talk.Done() {
			err := probe.CheckScram(said)
			if err != nil {
				return err
			}
			if message, err = talk.Step(said); err != nil {
				break
			}
		}
		answer, err := c.run(p.source, append(command, bson.E{Key: "payload", Value: []byte(message)}))
		if err != nil {
			return err
		}
		_, payload, _ := answer.Lookup("payload").BinaryOK()
		said = string(payload)
		if is(answer, "done") {
			if !talk.Done() {
				_, _ = talk.Step(said)
			}
			if talk.Valid() {
				return nil
			}
			break
		}
		id, _ := answer.Lookup("conversationId").AsInt64OK()
		command = bson.D{{Key: "saslContinue", Value: 1}, {Key: "conversationId", Value: int32(id)}}
	}
	return refresh.NewFault(fsm.ReasonAuth, "the server's side of %s is wrong: it does not know the password", mechanism)
}
