package mongodriver_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/tokenwell/tokenwell/bindings/go/internal/emulator"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// cluster is a server of the MongoDB wire protocol that knows MONGODB-OIDC and listDatabases. It
// trusts the emulator: a token is valid if the Admin API accepts it.
type cluster struct {
	api      emulator.Account
	listener net.Listener
	mutex    sync.Mutex
	logins   []string // the token of each login
}

// The codes of errors that a server returns.
const (
	authenticationFailed     = 18
	reauthenticationRequired = 391
)

// The opcodes of messages. Drivers send the first hello of a connection as a query.
const (
	opReply   = 1
	opQuery   = 2004
	opMessage = 2013
)

func startCluster(t *testing.T, api emulator.Account) *cluster {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := &cluster{api: api, listener: listener}
	var connections sync.WaitGroup
	connections.Add(1)
	go func() {
		defer connections.Done()
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				defer connections.Done()
				defer connection.Close()
				started.serve(connection)
			}()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		connections.Wait()
	})
	return started
}

func (c *cluster) uri() string {
	return "mongodb://" + c.listener.Addr().String() + "/?directConnection=true"
}

func (c *cluster) seen() []string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.logins
}

func (c *cluster) serve(connection net.Conn) {
	var token string
	for {
		request, opcode, body, err := receive(connection)
		if err != nil {
			return
		}
		command, err := document(opcode, body)
		if err != nil {
			return
		}
		if err := reply(connection, request, opcode, c.answer(command, &token)); err != nil {
			return
		}
	}
}

// answer returns the reply to a command on a connection that is logged in with token.
func (c *cluster) answer(command bson.D, token *string) bson.D {
	switch name := command[0].Key; name {
	case "hello", "isMaster", "ismaster":
		hello := bson.D{
			{Key: "isWritablePrimary", Value: true}, {Key: "ismaster", Value: true}, {Key: "helloOk", Value: true}, {Key: "minWireVersion", Value: 0},
			{Key: "maxWireVersion", Value: 21}, {Key: "maxBsonObjectSize", Value: 1 << 24}, {Key: "maxMessageSizeBytes", Value: 48_000_000},
			{Key: "maxWriteBatchSize", Value: 100_000}, {Key: "ok", Value: 1},
		}
		if login, ok := field(command, "speculativeAuthenticate").(bson.D); ok {
			if sent := tokenOf(login); c.accepts(sent) {
				*token = c.loggedIn(sent)
				hello = append(hello, bson.E{Key: "speculativeAuthenticate", Value: conversationDone})
			}
		}
		return hello
	case "saslStart":
		*token = c.loggedIn(tokenOf(command))
		if !c.accepts(*token) {
			return failure(authenticationFailed, "AuthenticationFailed")
		}
		return append(conversationDone, bson.E{Key: "ok", Value: 1})
	case "listDatabases":
		if !c.accepts(*token) {
			return failure(reauthenticationRequired, "ReauthenticationRequired")
		}
		return bson.D{{Key: "databases", Value: bson.A{bson.D{{Key: "name", Value: "inventory"}}}}, {Key: "ok", Value: 1}}
	default:
		return bson.D{{Key: "ok", Value: 1}}
	}
}

var conversationDone = bson.D{{Key: "conversationId", Value: 1}, {Key: "done", Value: true}, {Key: "payload", Value: bson.Binary{}}}

func failure(code int, name string) bson.D {
	return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: code}, {Key: "codeName", Value: name}, {Key: "errmsg", Value: name}}
}

func (c *cluster) loggedIn(token string) string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.logins = append(c.logins, token)
	return token
}

func (c *cluster) accepts(token string) bool {
	request, err := http.NewRequest(http.MethodGet, c.api.BaseURL+"/api/atlas/v2/orgs", nil)
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/vnd.atlas.2024-08-05+json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// tokenOf returns the token in the payload of a login.
func tokenOf(login bson.D) string {
	payload, _ := field(login, "payload").(bson.Binary)
	var content struct{ JWT string }
	_ = bson.Unmarshal(payload.Data, &content)
	return content.JWT
}

func field(from bson.D, name string) any {
	for _, element := range from {
		if element.Key == name {
			return element.Value
		}
	}
	return nil
}

func receive(from io.Reader) (request, opcode uint32, body []byte, err error) {
	var header [16]byte
	if _, err := io.ReadFull(from, header[:]); err != nil {
		return 0, 0, nil, err
	}
	body = make([]byte, binary.LittleEndian.Uint32(header[0:])-16)
	_, err = io.ReadFull(from, body)
	return binary.LittleEndian.Uint32(header[4:]), binary.LittleEndian.Uint32(header[12:]), body, err
}

// document returns the command in a message, which is in its first section.
func document(opcode uint32, body []byte) (command bson.D, err error) {
	at := 5 // flags and the kind of the section
	if opcode == opQuery {
		at = 4 + len("admin.$cmd\x00") + 8
	}
	err = bson.Unmarshal(body[at:], &command)
	return command, err
}

func reply(to io.Writer, request, opcode uint32, answer bson.D) error {
	content, err := bson.Marshal(answer)
	if err != nil {
		return err
	}
	// The flags and the kind of the section.
	prefix := make([]byte, 5)
	replied := uint32(opMessage)
	if opcode == opQuery {
		// The flags, the cursor, the start and the number of documents.
		prefix, replied = make([]byte, 20), opReply
		prefix[16] = 1
	}
	message := binary.LittleEndian.AppendUint32(nil, uint32(16+len(prefix)+len(content)))
	message = binary.LittleEndian.AppendUint32(message, 0)
	message = binary.LittleEndian.AppendUint32(message, request)
	message = binary.LittleEndian.AppendUint32(message, replied)
	_, err = to.Write(append(append(message, prefix...), content...))
	return err
}
