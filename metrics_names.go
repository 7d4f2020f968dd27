package mainstem

import "github.com/prometheus/client_golang/prometheus"

// descs are all metrics of a node, in the order of their declaration.
var descs []*prometheus.Desc

func metric(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(name, help, labels, nil)
	descs = append(descs, d)
	return d
}

// The names that Kafka users know from the usual configuration of the JMX exporter. Totals of all topics are left to the query:
// a series without a topic beside those with one would be counted twice.
var (
	messagesIn = metric("kafka_server_brokertopicmetrics_messagesin_total", "Records appended since the start.", "topic")
	bytesIn    = metric("kafka_server_brokertopicmetrics_bytesin_total", "Bytes of record batches appended since the start.", "topic")
	bytesOut   = metric("kafka_server_brokertopicmetrics_bytesout_total", "Bytes of record batches sent to clients since the start.", "topic")

	requests     = metric("kafka_network_requestmetrics_requests_total", "Requests answered since the start.", "request")
	requestTimes = metric("kafka_network_requestmetrics_totaltimems", "Milliseconds from a request's first byte to the last of its response, waiting of fetches included.", "request")

	logSize     = metric("kafka_log_log_size", "Bytes of a partition's segments.", "topic", "partition")
	logSegments = metric("kafka_log_log_numlogsegments", "Segments of a partition.", "topic", "partition")
	logStart    = metric("kafka_log_log_logstartoffset", "First offset of a partition.", "topic", "partition")
	logEnd      = metric("kafka_log_log_logendoffset", "Next offset of a partition.", "topic", "partition")

	partitionCount    = metric("kafka_server_replicamanager_partitioncount", "Partitions of this node.")
	leaderCount       = metric("kafka_server_replicamanager_leadercount", "Partitions that this node leads: all.")
	underReplicated   = metric("kafka_server_replicamanager_underreplicatedpartitions", "Partitions that lack replicas: none on a single node.")
	offlineReplicas   = metric("kafka_server_replicamanager_offlinereplicacount", "Partitions whose log is damaged.")
	offlinePartitions = metric("kafka_controller_kafkacontroller_offlinepartitionscount", "Partitions whose log is damaged: they refuse everything.")
	activeController  = metric("kafka_controller_kafkacontroller_activecontrollercount", "1: the node is its own controller.")
	globalTopics      = metric("kafka_controller_kafkacontroller_globaltopiccount", "Topics.")
	globalPartitions  = metric("kafka_controller_kafkacontroller_globalpartitioncount", "Partitions.")
)

// The names of kafka_exporter.
var (
	brokers         = metric("kafka_brokers", "Brokers of the cluster.")
	topicPartitions = metric("kafka_topic_partitions", "Partitions of a topic.", "topic")
	exporterEnd     = metric("kafka_topic_partition_current_offset", "Next offset of a partition.", "topic", "partition")
	exporterStart   = metric("kafka_topic_partition_oldest_offset", "First offset of a partition.", "topic", "partition")
	groupMembers    = metric("kafka_consumergroup_members", "Members of a group.", "consumergroup")
	groupOffset     = metric("kafka_consumergroup_current_offset", "Committed offset of a group.", "consumergroup", "topic", "partition")
	groupLag        = metric("kafka_consumergroup_lag", "Records that a group has not read.", "consumergroup", "topic", "partition")
	groupLagSum     = metric("kafka_consumergroup_lag_sum", "Records of a topic that a group has not read.", "consumergroup", "topic")
)

// The node's own.
var (
	buildInfo     = metric("mainstem_build_info", "1, with the version.", "version")
	uptime        = metric("mainstem_uptime_seconds", "Time since the start.")
	omittedSeries = metric("mainstem_metrics_omitted", "Partitions and positions of groups that are too many to be shown.")

	groupLagSeconds = metric("mainstem_group_lag_seconds", "Age of the first record that a group has not read, by the record's timestamp; 0 when there is none.", "consumergroup", "topic", "partition")

	journalSyncs     = metric("mainstem_journal_syncs_total", "Journal syncs since the start.")
	journalSyncTimes = metric("mainstem_journal_sync_seconds", "Duration of journal syncs.")
	journalBytes     = metric("mainstem_journal_bytes_total", "Bytes of frames appended to the journal since the start.")
	journalFiles     = metric("mainstem_journal_files", "Journal files with frames that no checkpoint covers, and the one under write.")
	checkpointAge    = metric("mainstem_checkpoint_age_seconds", "Time since the newest checkpoint of the broker, or since the start.")
	diskFree         = metric("mainstem_disk_free_bytes", "Free bytes of the data directory's disk, as of the last look.")
	diskTotal        = metric("mainstem_disk_bytes", "Size of the data directory's disk.")
	connections      = metric("mainstem_connections", "Kafka clients that are connected.")
	openTransactions = metric("mainstem_open_transactions", "Transactions that are open.")

	topicRecords      = metric("mainstem_topic_records", "Records in a topic's log.", "topic")
	pipelineRecords   = metric("mainstem_pipeline_records_total", "Input records processed since the start.", "pipeline")
	pipelineEpochs    = metric("mainstem_pipeline_epochs_total", "Epochs committed since the start.", "pipeline")
	pipelineLag       = metric("mainstem_pipeline_lag_records", "Input records known and not yet processed.", "pipeline")
	pipelineFreshness = metric("mainstem_pipeline_lag_seconds", "Age of the first input record that is not processed, by its timestamp; 0 when there is none.", "pipeline")
	pipelineUp        = metric("mainstem_pipeline_up", "1 while the pipeline runs.", "pipeline")
	pipelineDropped   = metric("mainstem_pipeline_dropped_records_total", "Records left out by rule, bad records among them.", "pipeline", "reason")
	pipelinePaused    = metric("mainstem_pipeline_paused", "1 while the pipeline is paused.", "pipeline")
	pipelineCommits   = metric("mainstem_pipeline_commit_seconds", "Time from the first record that was taken for an epoch until it was committed.", "pipeline")
	taskRecords       = metric("mainstem_task_records_total", "Rows that a task took from sources and repartitions since it was started here.", "pipeline", "task")
	taskUnits         = metric("mainstem_task_units_total", "Runs of rows that a task worked on together.", "pipeline", "task")
	taskBusy          = metric("mainstem_task_busy_seconds_total", "Time spent on a task's input, with what followed in other tasks.", "pipeline", "task")
	taskStreamTime    = metric("mainstem_task_stream_time_seconds", "Highest timestamp of any row that a task took, since 1970.", "pipeline", "task")
	nodeRecords       = metric("mainstem_node_records_total", "Rows that a step took since its tasks were started here.", "pipeline", "node")
	storeRows         = metric("mainstem_store_rows", "Committed rows of a store.", "pipeline", "store", "partition")
	storeBytes        = metric("mainstem_store_bytes", "Estimated memory of a store's rows.", "pipeline", "store", "partition")
	sqlRowErrors      = metric("mainstem_sql_row_errors_total", "Expressions of a query of SQL that became null and records that it left out, since it was started here.", "query")
	sinkRecords       = metric("mainstem_sink_records_total", "Records delivered since the start.", "sink")
	sinkLag           = metric("mainstem_sink_lag_records", "Records known and not yet delivered.", "sink")
	sinkUp            = metric("mainstem_sink_up", "1 while the sink runs.", "sink")
	sinkFreshness     = metric("mainstem_sink_freshness_seconds", "Age of records when they became visible.", "sink", "quantile")
)
