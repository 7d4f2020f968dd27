package kafka

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/auth"
	"github.com/mainstemio/mainstem/internal/server/kafka/gate"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestEveryServedRequestHasARule(t *testing.T) {
	for key := range dispatch {
		if !gate.Checked(key) {
			t.Errorf("%s has no rule: with ACLs nobody could send it", kmsg.NameForKey(key))
		}
	}
}

// guarded serves alice, bob and root, who may do everything.
func guarded(t testing.TB) *testServer {
	t.Helper()
	sec := everyWayIn
	sec.Authorize, sec.SuperUsers = true, []string{"User:root"}
	return serve(t, Options{Broker: withUsers(t, "bob", "root"), Security: sec})
}

func (s *testServer) admin(t testing.TB, user string) *kadm.Client {
	return kadm.NewClient(s.client(t, as(user), kgo.RequestRetries(1)))
}

func allow(t testing.TB, adm *kadm.Client, b *kadm.ACLBuilder) {
	t.Helper()
	b.MaybeAllowHosts("*")
	b.PrefixUserExcept()
	res, err := adm.CreateACLs(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res {
		if r.Err != nil {
			t.Fatal(r.Err, r.ErrMessage)
		}
	}
}

func TestACLsDecideWhatAClientMayDo(t *testing.T) {
	s := guarded(t)
	ctx := testContext(t)
	root := s.admin(t, "root")
	s.topic(t, "t", 1, nil)
	s.topic(t, "secret", 1, nil)
	write := func(user, topic string) error {
		cl := s.client(t, as(user), kgo.RecordRetries(0), kgo.DefaultProduceTopic(topic), kgo.MetadataMinAge(10*time.Millisecond), kgo.UnknownTopicRetries(0))
		return cl.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr()
	}
	if err := write("alice", "t"); !errors.Is(err, kerr.TopicAuthorizationFailed) && !errors.Is(err, kerr.ClusterAuthorizationFailed) {
		t.Errorf("without any ACL: %v", err)
	}
	allow(t, root, kadm.NewACLs().Allow("User:alice").Topics("t").Operations(kadm.OpWrite).ResourcePatternType(kadm.ACLPatternLiteral))
	if err := write("alice", "t"); err != nil {
		t.Errorf("with WRITE on the topic: %v", err)
	}
	if err := write("alice", "secret"); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("another topic: %v", err)
	}
	if err := write("bob", "t"); err == nil {
		t.Error("somebody else writes")
	}
	topics, err := s.admin(t, "alice").ListTopics(ctx)
	if err != nil || !slices.Equal(topics.Names(), []string{"t"}) {
		t.Errorf("alice sees %v, %v", topics.Names(), err)
	}
	if topics, err = root.ListTopics(ctx); err != nil || !slices.Equal(topics.Names(), []string{"secret", "t"}) {
		t.Errorf("root sees %v, %v", topics.Names(), err)
	}
}

func TestAFetchAsksForEachTopicAgain(t *testing.T) {
	s := guarded(t)
	root := s.admin(t, "root")
	mine, secret := s.topic(t, "t", 1, nil), s.topic(t, "secret", 1, nil)
	read := kadm.NewACLs().Allow("User:alice").Topics("t").Operations(kadm.OpRead).ResourcePatternType(kadm.ACLPatternLiteral)
	allow(t, root, read)
	c := s.dial(t)
	ask[*kmsg.SASLHandshakeResponse](c, handshake(1, "PLAIN"))
	wantCode(t, "login", ask[*kmsg.SASLAuthenticateResponse](c, authenticate(2, alicePlain)).ErrorCode, nil)
	for _, v := range []int16{4, 12, 16} {
		req := fetchRequest(v, "t", 0)
		req.Topics[0].TopicID = mine.ID
		other := fetchRequest(v, "secret", 0).Topics[0]
		other.TopicID = secret.ID
		req.Topics = append(req.Topics, other)
		resp := ask[*kmsg.FetchResponse](c, req)
		wantCode(t, "t", resp.Topics[0].Partitions[0].ErrorCode, nil)
		wantCode(t, "secret", resp.Topics[1].Partitions[0].ErrorCode, kerr.TopicAuthorizationFailed)
		if got := resp.Topics[1].Partitions[0].HighWatermark; got != -1 {
			t.Errorf("v%d tells the end of a topic that may not be read: %d", v, got)
		}
	}
	open := fetchRequest(12, "t", 0)
	open.SessionEpoch = 0
	session := ask[*kmsg.FetchResponse](c, open).SessionID
	if session == 0 {
		t.Fatal("no session")
	}
	if _, err := root.DeleteACLs(context.Background(), read); err != nil {
		t.Fatal(err)
	}
	again := inVersion(kmsg.NewPtrFetchRequest(), 12)
	again.SessionID, again.SessionEpoch, again.MaxBytes = session, 1, 1<<20
	resp := ask[*kmsg.FetchResponse](c, again)
	if len(resp.Topics) != 1 {
		t.Fatalf("%+v", resp)
	}
	wantCode(t, "an ACL that is gone", resp.Topics[0].Partitions[0].ErrorCode, kerr.TopicAuthorizationFailed)
}

func TestACLsAreAdministeredThroughTheProtocol(t *testing.T) {
	s := guarded(t)
	ctx := testContext(t)
	root := s.admin(t, "root")
	filter := kadm.NewACLs().AnyResource().Operations().Allow().AllowHosts().Deny().DenyHosts().ResourcePatternType(kadm.ACLPatternAny)
	if alice, err := s.admin(t, "alice").DescribeACLs(ctx, filter); err == nil && alice[0].Err == nil {
		t.Errorf("alice may see ACLs: %+v", alice)
	}
	rules := kadm.NewACLs().Allow("User:alice", "User:bob").AllowHosts("*").Deny("User:bob").DenyHosts("10.0.0.1").
		Topics("t").Groups("g").Clusters().TransactionalIDs("x").Operations(kadm.OpDescribe, kadm.OpAlter).ResourcePatternType(kadm.ACLPatternPrefixed)
	created, err := root.CreateACLs(ctx, rules)
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for _, c := range created {
		if c.Err == nil {
			good++
		}
	}
	described, err := root.DescribeACLs(ctx, filter)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, d := range described {
		found += len(d.Described)
	}
	if found == 0 || found < good {
		t.Errorf("%d of %d ACLs are described", found, good)
	}
	if _, err := root.DeleteACLs(ctx, filter); err != nil {
		t.Fatal(err)
	}
	if left := s.broker.Security().ACLs.All(); len(left) != 0 {
		t.Errorf("left %+v", left)
	}
	bad := kmsg.NewPtrCreateACLsRequest()
	for _, name := range []string{"", "t"} {
		c := kmsg.NewCreateACLsRequestCreation()
		c.ResourceType, c.ResourceName, c.Principal, c.Host = kmsg.ACLResourceTypeTopic, name, "User:a", "*"
		c.Operation, c.PermissionType = kmsg.ACLOperationRead, kmsg.ACLPermissionTypeAllow
		bad.Creations = append(bad.Creations, c)
	}
	resp, err := bad.RequestWith(ctx, s.client(t, as("root")))
	if err != nil || len(resp.Results) != 2 {
		t.Fatal(err, resp)
	}
	wantCode(t, "no name", resp.Results[0].ErrorCode, kerr.InvalidRequest)
	wantCode(t, "beside a good one", resp.Results[1].ErrorCode, nil)
}

func TestWithoutAnAuthorizerThereAreNoACLs(t *testing.T) {
	s := serve(t, Options{})
	ctx, cl := testContext(t), s.client(t)
	create := kmsg.NewPtrCreateACLsRequest()
	create.Creations = []kmsg.CreateACLsRequestCreation{kmsg.NewCreateACLsRequestCreation()}
	created, err := create.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "create", created.Results[0].ErrorCode, kerr.SecurityDisabled)
	described, err := kmsg.NewPtrDescribeACLsRequest().RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "describe", described.ErrorCode, kerr.SecurityDisabled)
	remove := kmsg.NewPtrDeleteACLsRequest()
	remove.Filters = []kmsg.DeleteACLsRequestFilter{kmsg.NewDeleteACLsRequestFilter()}
	deleted, err := remove.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "delete", deleted.Results[0].ErrorCode, kerr.SecurityDisabled)
}

func TestUsersAreAdministeredThroughTheProtocol(t *testing.T) {
	s := guarded(t)
	ctx := testContext(t)
	root := s.admin(t, "root")
	upsert := func(user string, m kadm.ScramMechanism, iterations int32) kadm.UpsertSCRAM {
		return kadm.UpsertSCRAM{User: user, Mechanism: m, Iterations: iterations, Password: user + "'s password"}
	}
	res, err := root.AlterUserSCRAMs(ctx, []kadm.DeleteSCRAM{{User: "ghost", Mechanism: kadm.ScramSha256}}, []kadm.UpsertSCRAM{
		upsert("carol", kadm.ScramSha256, 4096),
	})
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]error{"carol": nil, "ghost": kerr.ResourceNotFound} {
		if got := res[user]; !errors.Is(got.Err, want) {
			t.Errorf("%s: %v %s", user, got.Err, got.ErrMessage)
		}
	}
	if err := s.client(t, as("carol")).Ping(ctx); err != nil {
		t.Errorf("carol: %v", err)
	}
	all, err := root.DescribeUserSCRAMs(ctx)
	if err != nil || len(all) != 4 || all["carol"].CredInfos[0].Iterations != 4096 {
		t.Errorf("%+v, %v", all, err)
	}
	if some, err := root.DescribeUserSCRAMs(ctx, "ghost", "bob"); err != nil || !errors.Is(some["ghost"].Err, kerr.ResourceNotFound) || some["bob"].Err != nil {
		t.Errorf("%+v, %v", some, err)
	}
	if res, err = root.AlterUserSCRAMs(ctx, []kadm.DeleteSCRAM{{User: "carol", Mechanism: kadm.ScramSha256}}, nil); err != nil || res["carol"].Err != nil {
		t.Fatal(err, res)
	}
	if err := s.client(t, as("carol"), kgo.RequestRetries(0), kgo.RetryTimeout(time.Second)).Ping(ctx); !errors.Is(err, kerr.SaslAuthenticationFailed) {
		t.Errorf("a user who is gone: %v", err)
	}
	if res, err := s.admin(t, "alice").AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{upsert("alice", kadm.ScramSha256, 4096)}); err == nil && res["alice"].Err == nil {
		t.Error("alice changes users")
	}
	twice := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	twice.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "bob", Mechanism: 1}, {Name: "bob", Mechanism: 1}, {Name: "", Mechanism: 1}, {Name: "x", Mechanism: 9}}
	for user, iterations := range map[string]int32{"y weak": 4095, "z slow": 16385} {
		u := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
		u.Name, u.Mechanism, u.Iterations, u.Salt, u.SaltedPassword = user, 1, iterations, []byte("salt"), make([]byte, 32)
		twice.Upsertions = append(twice.Upsertions, u)
	}
	resp, err := twice.RequestWith(ctx, s.client(t, as("root")))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []*kerr.Error{kerr.UnacceptableCredential, kerr.DuplicateResource, kerr.UnsupportedSaslMechanism, kerr.UnacceptableCredential, kerr.UnacceptableCredential} {
		wantCode(t, resp.Results[i].User, resp.Results[i].ErrorCode, want)
	}
	if _, ok := s.broker.Security().Users.Find(auth.UserKey{Name: "bob", Mechanism: auth.ScramSHA256}); !ok {
		t.Error("a wish with an error is carried out")
	}
}

// A member that subscribes by an expression gets the topics that it may describe, from the next heartbeat after its rights changed on.
func TestExpressionsFindWhatTheMemberMayDescribe(t *testing.T) {
	s := guarded(t)
	ctx := testContext(t)
	root := s.admin(t, "root")
	ids := map[[16]byte]string{}
	for _, name := range []string{"tea", "toast", "secret"} {
		ids[s.topic(t, name, 1, nil).ID] = name
	}
	allow(t, root, kadm.NewACLs().Allow("User:alice").Groups("g").Operations(kadm.OpRead).ResourcePatternType(kadm.ACLPatternLiteral))
	may := func(topic string) {
		allow(t, root, kadm.NewACLs().Allow("User:alice").Topics(topic).Operations(kadm.OpDescribe).ResourcePatternType(kadm.ACLPatternLiteral))
	}
	may("tea")
	alice := s.client(t, as("alice"))
	beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	beat.Group, beat.MemberID, beat.RebalanceTimeoutMillis = "g", "m", 60000
	beat.SubscribedTopicRegex, beat.Topics = ptr(".*"), []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	held := func() (names []string) {
		t.Helper()
		r, err := beat.RequestWith(ctx, alice)
		if err != nil || r.ErrorCode != 0 || r.Assignment == nil {
			t.Fatalf("%+v: %v", r, err)
		}
		beat.MemberEpoch = r.MemberEpoch
		for _, topic := range r.Assignment.Topics {
			names = append(names, ids[topic.TopicID])
		}
		slices.Sort(names)
		return names
	}
	if got := held(); !slices.Equal(got, []string{"tea"}) {
		t.Errorf("with DESCRIBE on tea: %q", got)
	}
	may("toast")
	if got := held(); !slices.Equal(got, []string{"tea", "toast"}) {
		t.Errorf("with DESCRIBE on toast, too: %q", got)
	}
}
