package guard

// shapes is the wire shape of every request that is served, in Kafka's field order (source: the protocol's message definitions as
// kmsg encodes them; the tests compare the two byte for byte). The guard walks it before kmsg sees a request.
//
// A request starts with "key Name first-flexible-version:" (99: never flexible). A field is Name:type, with @lo-hi or @lo+ where
// it does not stand in every version. Types: a number is that many bytes; s a string, b bytes, a trailing ? nullable; [x] an array;
// {x} a structure; ?{x} one behind a presence byte; #(n=Name:type …) tagged fields with those that kmsg knows.
const shapes = `
0 Produce 9:
	TransactionID:s?@3+ Acks:2 TimeoutMillis:4 Topics:[Topic:s@0-12 TopicID:16@13+ Partitions:[Partition:4 Records:b? #()] #()] #()
1 Fetch 12:
	ReplicaID:4@0-14 MaxWaitMillis:4 MinBytes:4 MaxBytes:4@3+ IsolationLevel:1@4+ SessionID:4@7+ SessionEpoch:4@7+ Topics:[Topic:s@0-12
	TopicID:16@13+ Partitions:[Partition:4 CurrentLeaderEpoch:4@9+ FetchOffset:8 LastFetchedEpoch:4@12+ LogStartOffset:8@5+
	PartitionMaxBytes:4 #(0=ReplicaDirectoryID:16 1=HighWatermark:8)] #()] ForgottenTopics:[Topic:s@7-12 TopicID:16@13+ Partitions:[4]
	#()]@7+ Rack:s@11+ #(0=ClusterID:s? 1=ReplicaState:{ID:4 Epoch:8 #()})
2 ListOffsets 6:
	ReplicaID:4 IsolationLevel:1@2+ Topics:[Topic:s Partitions:[Partition:4 CurrentLeaderEpoch:4@4+ Timestamp:8 MaxNumOffsets:4@0-0 #()]
	#()] TimeoutMillis:4@10+ #()
3 Metadata 9:
	Topics:[TopicID:16@10+ Topic:s? #()] AllowAutoTopicCreation:1@4+ IncludeClusterAuthorizedOperations:1@8-10
	IncludeTopicAuthorizedOperations:1@8+ #()
8 OffsetCommit 8:
	Group:s Generation:4@1+ MemberID:s@1+ InstanceID:s?@7+ RetentionTimeMillis:8@2-4 Topics:[Topic:s@0-9 TopicID:16@10+
	Partitions:[Partition:4 Offset:8 Timestamp:8@1-1 LeaderEpoch:4@6+ Metadata:s? #()] #()] #()
9 OffsetFetch 6:
	Group:s@0-7 Topics:[Topic:s Partitions:[4] #()]@0-7 Groups:[Group:s MemberID:s?@9+ MemberEpoch:4@9+ Topics:[Topic:s@8-9 TopicID:16@10+
	Partitions:[4] #()] #()]@8+ RequireStable:1@7+ #()
10 FindCoordinator 3:
	CoordinatorKey:s@0-3 CoordinatorType:1@1+ CoordinatorKeys:[s]@4+ #()
11 JoinGroup 6:
	Group:s SessionTimeoutMillis:4 RebalanceTimeoutMillis:4@1+ MemberID:s InstanceID:s?@5+ ProtocolType:s Protocols:[Name:s Metadata:b #()]
	Reason:s?@8+ #()
12 Heartbeat 4:
	Group:s Generation:4 MemberID:s InstanceID:s?@3+ #()
13 LeaveGroup 4:
	Group:s MemberID:s@0-2 Members:[MemberID:s InstanceID:s? Reason:s?@5+ #()]@3+ #()
14 SyncGroup 4:
	Group:s Generation:4 MemberID:s InstanceID:s?@3+ ProtocolType:s?@5+ Protocol:s?@5+ GroupAssignment:[MemberID:s MemberAssignment:b #()]
	#()
15 DescribeGroups 5:
	Groups:[s] IncludeAuthorizedOperations:1@3+ #()
16 ListGroups 3:
	StatesFilter:[s]@4+ TypesFilter:[s]@5+ #()
17 SaslHandshake 99:
	Mechanism:s
18 ApiVersions 3:
	ClientSoftwareName:s@3+ ClientSoftwareVersion:s@3+ ClusterID:s?@5+ NodeID:4@5+ #()
19 CreateTopics 5:
	Topics:[Topic:s NumPartitions:4 ReplicationFactor:2 ReplicaAssignment:[Partition:4 Replicas:[4] #()] Configs:[Name:s Value:s? #()] #()]
	TimeoutMillis:4 ValidateOnly:1@1+ #()
20 DeleteTopics 4:
	TopicNames:[s]@0-5 Topics:[Topic:s? TopicID:16 #()]@6+ TimeoutMillis:4 #()
21 DeleteRecords 2:
	Topics:[Topic:s Partitions:[Partition:4 Offset:8 #()] #()] TimeoutMillis:4 #()
22 InitProducerID 2:
	TransactionalID:s? TransactionTimeoutMillis:4 ProducerID:8@3+ ProducerEpoch:2@3+ #()
23 OffsetForLeaderEpoch 4:
	ReplicaID:4@3+ Topics:[Topic:s Partitions:[Partition:4 CurrentLeaderEpoch:4@2+ LeaderEpoch:4 #()] #()] #()
24 AddPartitionsToTxn 3:
	TransactionalID:s@0-3 ProducerID:8@0-3 ProducerEpoch:2@0-3 Topics:[Topic:s Partitions:[4] #()]@0-3 Transactions:[TransactionalID:s
	ProducerID:8 ProducerEpoch:2 VerifyOnly:1 Topics:[Topic:s Partitions:[4] #()] #()]@4+ #()
25 AddOffsetsToTxn 3:
	TransactionalID:s ProducerID:8 ProducerEpoch:2 Group:s #()
26 EndTxn 3:
	TransactionalID:s ProducerID:8 ProducerEpoch:2 Commit:1 #()
27 WriteTxnMarkers 1:
	Markers:[ProducerID:8 ProducerEpoch:2 Committed:1 Topics:[Topic:s Partitions:[4] #()] CoordinatorEpoch:4 TransactionVersion:1@2+ #()]
	#()
28 TxnOffsetCommit 3:
	TransactionalID:s Group:s ProducerID:8 ProducerEpoch:2 Generation:4@3+ MemberID:s@3+ InstanceID:s?@3+ Topics:[Topic:s@0-5 TopicID:16@6+
	Partitions:[Partition:4 Offset:8 LeaderEpoch:4@2+ Metadata:s? #()] #()] #()
29 DescribeAcls 2:
	ResourceType:1 ResourceName:s? ResourcePatternType:1@1+ Principal:s? Host:s? Operation:1 PermissionType:1 #()
30 CreateAcls 2:
	Creations:[ResourceType:1 ResourceName:s ResourcePatternType:1@1+ Principal:s Host:s Operation:1 PermissionType:1 #()] #()
31 DeleteAcls 2:
	Filters:[ResourceType:1 ResourceName:s? ResourcePatternType:1@1+ Principal:s? Host:s? Operation:1 PermissionType:1 #()] #()
32 DescribeConfigs 4:
	Resources:[ResourceType:1 ResourceName:s ConfigNames:[s] #()] IncludeSynonyms:1@1+ IncludeDocumentation:1@3+ #()
33 AlterConfigs 2:
	Resources:[ResourceType:1 ResourceName:s Configs:[Name:s Value:s? #()] #()] ValidateOnly:1 #()
34 AlterReplicaLogDirs 2:
	Dirs:[Dir:s Topics:[Topic:s Partitions:[4] #()] #()] #()
35 DescribeLogDirs 2:
	Topics:[Topic:s Partitions:[4] #()] #()
36 SaslAuthenticate 2:
	SASLAuthBytes:b #()
37 CreatePartitions 2:
	Topics:[Topic:s Count:4 Assignment:[Replicas:[4] #()] #()] TimeoutMillis:4 ValidateOnly:1 #()
42 DeleteGroups 2:
	Groups:[s] #()
43 ElectLeaders 2:
	ElectionType:1@1+ Topics:[Topic:s Partitions:[4] #()] TimeoutMillis:4 #()
44 IncrementalAlterConfigs 1:
	Resources:[ResourceType:1 ResourceName:s Configs:[Name:s Op:1 Value:s? #()] #()] ValidateOnly:1 #()
45 AlterPartitionReassignments 0:
	TimeoutMillis:4 AllowReplicationFactorChange:1@1+ Topics:[Topic:s Partitions:[Partition:4 Replicas:[4] #()] #()] #()
46 ListPartitionReassignments 0:
	TimeoutMillis:4 Topics:[Topic:s Partitions:[4] #()] #()
47 OffsetDelete 99:
	Group:s Topics:[Topic:s Partitions:[Partition:4]]
48 DescribeClientQuotas 1:
	Components:[EntityType:s MatchType:1 Match:s? #()] Strict:1 #()
50 DescribeUserScramCredentials 0:
	Users:[Name:s #()] #()
51 AlterUserScramCredentials 0:
	Deletions:[Name:s Mechanism:1 #()] Upsertions:[Name:s Mechanism:1 Iterations:4 Salt:b SaltedPassword:b #()] #()
55 DescribeQuorum 0:
	Topics:[Topic:s Partitions:[Partition:4 #()] #()] #()
57 UpdateFeatures 0:
	TimeoutMillis:4 FeatureUpdates:[Feature:s MaxVersionLevel:2 AllowDowngrade:1@0-0 UpgradeType:1@1+ #()] ValidateOnly:1@1+ #()
60 DescribeCluster 0:
	IncludeClusterAuthorizedOperations:1 EndpointType:1@1+ IncludeFencedBrokers:1@2+ #()
61 DescribeProducers 0:
	Topics:[Topic:s Partitions:[4] #()] #()
65 DescribeTransactions 0:
	TransactionalIDs:[s] #()
66 ListTransactions 0:
	StateFilters:[s] ProducerIDFilters:[8] DurationFilterMillis:8@1+ TransactionalIDPattern:s?@2+ #()
68 ConsumerGroupHeartbeat 0:
	Group:s MemberID:s MemberEpoch:4 InstanceID:s? RackID:s? RebalanceTimeoutMillis:4 SubscribedTopicNames:[s]
	SubscribedTopicRegex:s?@1+ ServerAssignor:s? Topics:[TopicID:16 Partitions:[4] #()] #()
69 ConsumerGroupDescribe 0:
	Groups:[s] IncludeAuthorizedOperations:1 #()
74 ListConfigResources 0:
	ResourceTypes:[1]@1+ #()
75 DescribeTopicPartitions 0:
	Topics:[Topic:s #()] ResponsePartitionLimit:4 Cursor:?{Topic:s Partition:4 #()} #()
`
