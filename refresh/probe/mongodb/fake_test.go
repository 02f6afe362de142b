package mongodb_test

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe/mongodb"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

// fake plays a MongoDB server. No real one was at hand when this was written: its answers are those that MongoDB's manual
// describes, in the wire protocol (OP_MSG) as the driver's own code writes and reads it; TestFakeServesTheDriver holds it to
// that.
type fake struct {
	answers map[string]any // by command: a bson.D, a bson.Raw as it is, a refusal, or a func() bson.D
	user    *user          // nil lets everybody in
}

// refusal is an error that a server answers with.
type refusal struct {
	code int32
	name string
}

// user is one who may log in.
type user struct {
	name, password string
	mechanisms     []string // nil as servers before 4.0, which know one and name none
	longWay        bool     // as servers before 4.4, which know nothing of skipEmptyExchange
	iterations     int      // told to the client; 0 is the truth
}

const iterations = 4096

func (f fake) serve(conn net.Conn) {
	s := &session{fake: f}
	for {
		id, command, err := receive(conn)
		if err != nil {
			return
		}
		if _, err := conn.Write(message(id, s.answer(command))); err != nil {
			return
		}
	}
}

func receive(conn net.Conn) (id int32, command bson.Raw, err error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(conn, head); err != nil {
		return 0, nil, err
	}
	whole := make([]byte, binary.LittleEndian.Uint32(head))
	copy(whole, head)
	if _, err := io.ReadFull(conn, whole[4:]); err != nil {
		return 0, nil, err
	}
	_, id, _, operation, rest, ok := wiremessage.ReadHeader(whole)
	_, rest, flags := wiremessage.ReadMsgFlags(rest)
	kind, rest, section := wiremessage.ReadMsgSectionType(rest)
	document, rest, found := wiremessage.ReadMsgSectionSingleDocument(rest)
	if !ok || !flags || !section || !found || operation != wiremessage.OpMsg || kind != wiremessage.SingleDocument ||
		len(rest) != 0 || document.Validate() != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return id, bson.Raw(document), nil
}

func message(answers int32, document any) []byte {
	raw, given := document.(bson.Raw)
	if !given {
		raw, _ = bson.Marshal(document)
	}
	at, m := wiremessage.AppendHeaderStart(nil, 7, answers, wiremessage.OpMsg)
	m = wiremessage.AppendMsgFlags(m, 0)
	m = append(wiremessage.AppendMsgSectionType(m, wiremessage.SingleDocument), raw...)
	binary.LittleEndian.PutUint32(m[at:], uint32(len(m)))
	return m
}

// session is what a server knows of one connection.
type session struct {
	fake
	talk     *scram.ServerConversation
	loggedIn bool
}

func (s *session) answer(command bson.Raw) any {
	elements, err := command.Elements()
	if err != nil || len(elements) == 0 {
		return refused(refusal{2, "BadValue"})
	}
	name := elements[0].Key()
	switch {
	case s.user != nil && (name == "saslStart" || name == "saslContinue"):
		return s.logIn(command)
	case s.user != nil && !s.loggedIn && name != "hello" && name != "isMaster":
		return refused(refusal{13, "Unauthorized"})
	}
	found := s.answers[name]
	if moment, moves := found.(func() bson.D); moves {
		found = moment()
	}
	switch answer := found.(type) {
	case bson.D:
		if who, asked := command.Lookup("saslSupportedMechs").StringValueOK(); asked && s.user != nil &&
			who == "admin."+s.user.name {
			answer = append(slices.Clip(answer), bson.E{Key: "saslSupportedMechs", Value: s.user.mechanisms})
		}
		if name == "hello" && !slices.ContainsFunc(answer, func(e bson.E) bool { return e.Key == "isWritablePrimary" }) {
			answer = append(slices.Clip(answer), bson.E{Key: "isWritablePrimary", Value: false})
		}
		return append(slices.Clip(answer), bson.E{Key: "ok", Value: 1.0})
	case bson.Raw:
		return answer
	case refusal:
		return refused(answer)
	}
	return refused(refusal{59, "CommandNotFound"})
}

func refused(r refusal) bson.D {
	return bson.D{
		{Key: "ok", Value: 0.0},
		{Key: "errmsg", Value: "the server's own words"},
		{Key: "code", Value: r.code},
		{Key: "codeName", Value: r.name},
	}
}

// logIn is the server's side of SCRAM.
func (s *session) logIn(command bson.Raw) bson.D {
	wrong := refused(refusal{18, "AuthenticationFailed"})
	if mechanism, begins := command.Lookup("mechanism").StringValueOK(); begins {
		var err error
		if s.talk, err = s.user.conversation(mechanism); err != nil {
			return wrong
		}
	}
	_, payload, _ := command.Lookup("payload").BinaryOK()
	said, done := "", s.talk.Done()
	if !done {
		var err error
		if said, err = s.talk.Step(string(payload)); err != nil {
			return wrong
		}
		done = s.talk.Done() && !s.user.longWay
	}
	s.loggedIn = done && s.talk.Valid()
	return bson.D{
		{Key: "conversationId", Value: 1},
		{Key: "done", Value: done},
		{Key: "payload", Value: []byte(said)},
		{Key: "ok", Value: 1.0},
	}
}

func (u *user) conversation(mechanism string) (*scram.ServerConversation, error) {
	hash, password := scram.SHA256, u.password
	if u.mechanisms == nil && mechanism != "SCRAM-SHA-1" {
		return nil, io.EOF
	}
	if mechanism == "SCRAM-SHA-1" {
		sum := md5.Sum([]byte(u.name + ":mongo:" + u.password))
		hash, password = scram.SHA1, hex.EncodeToString(sum[:])
	}
	client, err := hash.NewClient(u.name, password, "")
	if err != nil {
		return nil, err
	}
	known, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "0123456789abcdef", Iters: iterations})
	if err != nil {
		return nil, err
	}
	if u.iterations != 0 {
		known.Iters = u.iterations
	}
	server, err := hash.NewServer(func(name string) (scram.StoredCredentials, error) {
		if name != u.name {
			return scram.StoredCredentials{}, io.EOF
		}
		return known, nil
	})
	if err != nil {
		return nil, err
	}
	return server.NewConversation(), nil
}

// start makes a prober; dial is all it can reach, and the password it finds.
func start(t *testing.T, config fsm.JSON, e refresh.Env) refresh.Prober {
	t.Helper()
	return probetest.Start(t, mongodb.New, config, e)
}

// piped dials handle, once for each connection.
func piped(t *testing.T, password string, handle func(net.Conn)) refresh.Env {
	t.Helper()
	env := probetest.Piped(t, handle)
	env.Reveal = func(refresh.Secret) (string, error) { return password, nil }
	return env
}

var target = refresh.Target{Cluster: "orders", Node: "orders-1", Address: "mongo-1", Port: 27017}
