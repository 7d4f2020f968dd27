package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.File;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.processor.internals.StreamTask;
import org.apache.kafka.streams.test.TestRecord;

/** One run of a case under the TopologyTestDriver. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Run implements AutoCloseable {
    /** Which internal topic is read when several hold records: the earliest one, ties by name up or down; or by name alone. */
    enum Order { TIME_UP, TIME_DOWN, NAME_UP, NAME_DOWN }

    final Map<String, List<Object>> outputs = new LinkedHashMap<>();
    final TopologyTestDriver driver;
    final Topology topology;
    private final JsonNode c;
    private final boolean manual;
    private final Map<String, JsonNode> sources = new LinkedHashMap<>();
    private final Map<String, JsonNode> sinks = new LinkedHashMap<>();
    private final StreamTask task;

    Run(JsonNode c, boolean memory, Order order, File dir) throws Exception {
        this.c = c;
        JsonNode config = c.get("config");
        manual = "manual".equals(Graph.text(config, "commit"));
        Properties p = properties(config, memory, dir);
        topology = Graph.build(c, memory, p);
        driver = new TopologyTestDriver(topology, p, Instant.EPOCH);
        task = (StreamTask) field(TopologyTestDriver.class, "task").get(driver);
        for (JsonNode n : c.get("topology")) {
            String op = n.get("op").textValue();
            if (op.equals("to")) {
                sinks.put(Graph.text(n, "topic"), n);
                outputs.put(Graph.text(n, "topic"), new ArrayList<>());
            } else if (n.has("topic")) {
                sources.put(Graph.text(n, "topic"), n);
            } else if (n.has("topics")) {
                n.get("topics").forEach(t -> sources.put(t.textValue(), n));
            }
        }
        if (task != null) {
            reorder(order);
        }
    }

    private static Properties properties(JsonNode config, boolean memory, File dir) {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "unused:1");
        p.put(StreamsConfig.STATE_DIR_CONFIG, dir.getPath());
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, config.get("cache").longValue());
        p.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, config.path("optimize").booleanValue() ? StreamsConfig.OPTIMIZE : StreamsConfig.NO_OPTIMIZATION);
        p.put(StreamsConfig.InternalConfig.EMIT_INTERVAL_MS_KSTREAMS_OUTER_JOIN_SPURIOUS_RESULTS_FIX, 0L);
        p.put(StreamsConfig.InternalConfig.EMIT_INTERVAL_MS_KSTREAMS_WINDOWED_AGGREGATION, 0L);
        if (memory) {
            p.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG,
                "org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers");
        }
        if ("continue".equals(Graph.text(config, "deserialization"))) {
            p.put(StreamsConfig.DESERIALIZATION_EXCEPTION_HANDLER_CLASS_CONFIG, "org.apache.kafka.streams.errors.LogAndContinueExceptionHandler");
        }
        if ("continue".equals(Graph.text(config, "processing"))) {
            p.put(StreamsConfig.PROCESSING_EXCEPTION_HANDLER_CLASS_CONFIG, "org.apache.kafka.streams.errors.LogAndContinueProcessingExceptionHandler");
        }
        return p;
    }

    static Field field(Class<?> of, String name) throws NoSuchFieldException {
        Field f = of.getDeclaredField(name);
        f.setAccessible(true);
        return f;
    }

    /** Decides ties between internal topics, which otherwise depend on the history of a queue. */
    private void reorder(Order order) throws Exception {
        Object group = field(StreamTask.class, "partitionGroup").get(task);
        Class<?> queue = Class.forName("org.apache.kafka.streams.processor.internals.RecordQueue");
        Method time = queue.getDeclaredMethod("headRecordTimestamp");
        Method partition = queue.getDeclaredMethod("partition");
        time.setAccessible(true);
        partition.setAccessible(true);
        Comparator<Object> byName = Comparator.comparing(q -> ((TopicPartition) call(partition, q)).topic());
        if (order == Order.TIME_DOWN || order == Order.NAME_DOWN) {
            byName = byName.reversed();
        }
        Comparator<Object> by = byName;
        if (order == Order.TIME_UP || order == Order.TIME_DOWN) {
            by = Comparator.comparingLong((Object q) -> (Long) call(time, q)).thenComparing(byName);
        }
        field(group.getClass(), "nonEmptyQueuesByTime").set(group, new PriorityQueue<>(4, by));
    }

    private static Object call(Method m, Object on, Object... args) {
        try {
            m.setAccessible(true);
            return m.invoke(on, args);
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof RuntimeException r) {
                throw r;
            }
            if (e.getCause() instanceof Error r) {
                throw r;
            }
            throw new IllegalStateException(e.getCause());
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private Object driverCall(String name, Class<?>[] types, Object... args) {
        try {
            return call(TopologyTestDriver.class.getDeclaredMethod(name, types), driver, args);
        } catch (NoSuchMethodException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Feeds one input and keeps what came of it. */
    void step(int i, JsonNode x) {
        if (x.has("advance")) {
            driver.advanceWallClockTime(Duration.ofMillis(x.get("advance").longValue()));
        } else if (x.has("commit")) {
            commit();
            work();
        } else {
            pipe(x);
        }
        collect(i);
    }

    private void pipe(JsonNode x) {
        boolean raw = x.has("raw");
        JsonNode row = raw ? x.get("raw") : x;
        String topic = row.get(0).textValue();
        JsonNode source = sources.get(topic);
        Serde key = Graph.serde(Graph.text(source, "kt"));
        Serde value = Graph.serde(Graph.text(source, "vt"));
        Headers headers = new RecordHeaders();
        if (row.size() > 4) {
            row.get(4).forEach(h -> headers.add(h.get(0).textValue(), h.get(1).textValue().getBytes()));
        }
        byte[] k = key.serializer().serialize(topic, Functions.value(row.get(1)));
        byte[] v = raw ? HexFormat.of().parseHex(row.get(2).textValue()) : value.serializer().serialize(topic, Functions.value(row.get(2)));
        long time = row.get(3).longValue();
        Object partition = manual ? ((Map) get("partitionsByInputTopic")).get(topic) : null;
        if (partition == null) {
            driver.createInputTopic(topic, new ByteArraySerializer(), new ByteArraySerializer())
                .pipeInput(new TestRecord<>(k, v, headers, Instant.ofEpochMilli(time)));
            return;
        }
        driverCall("enqueueTaskRecord", new Class<?>[] {String.class, TopicPartition.class, long.class, byte[].class, byte[].class, Headers.class},
            topic, partition, time, k, v, headers);
        work();
    }

    private Object get(String name) {
        try {
            return field(TopologyTestDriver.class, name).get(driver);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Does what the driver does until nothing is left, without its commits. */
    private void work() {
        driverCall("captureOutputsAndReEnqueueInternalResults", new Class<?>[0]);
        task.resumePollingForPartitionsWithAvailableSpace();
        task.updateLags();
        while (task.hasRecordsQueued() && task.isProcessable(0)) {
            task.process(0);
            task.maybePunctuateStreamTime();
            driverCall("captureOutputsAndReEnqueueInternalResults", new Class<?>[0]);
        }
    }

    private void commit() {
        Map<TopicPartition, OffsetAndMetadata> offsets = task.prepareCommit(true);
        driverCall("commit", new Class<?>[] {Map.class}, offsets);
        task.postCommit(true);
    }

    private void collect(int step) {
        for (Map.Entry<String, JsonNode> sink : sinks.entrySet()) {
            String topic = sink.getKey();
            if (!driver.producedTopicNames().contains(topic)) {
                continue;
            }
            Serde key = Graph.serde(Graph.text(sink.getValue(), "kt"));
            Serde value = Graph.serde(Graph.text(sink.getValue(), "vt"));
            for (Object o : driver.createOutputTopic(topic, key.deserializer(), value.deserializer()).readRecordsToList()) {
                TestRecord r = (TestRecord) o;
                List<Object> row = new ArrayList<>();
                row.add(step);
                row.add(Contents.cell(r.key()));
                row.add(r.value());
                row.add(r.timestamp());
                List<Object> headers = new ArrayList<>();
                r.headers().forEach(h -> headers.add(List.of(h.key(), new String(h.value()))));
                if (!headers.isEmpty()) {
                    row.add(headers);
                }
                outputs.get(topic).add(row);
            }
        }
    }

    long dropped() {
        double sum = 0;
        for (Map.Entry<MetricName, ? extends Metric> m : driver.metrics().entrySet()) {
            if (m.getKey().name().equals("dropped-records-total")) {
                sum += (Double) m.getValue().metricValue();
            }
        }
        return (long) sum;
    }

    /** The keys of the records of a topic that the driver wrote, and those of the inputs. */
    TreeSet<Object> keysOf(String topic) {
        TreeSet<Object> keys = new TreeSet<>();
        if (driver.producedTopicNames().contains(topic)) {
            driver.createOutputTopic(topic, new StringDeserializer(), new ByteArrayDeserializer()).readRecordsToList().forEach(r -> keys.add(r.key()));
        }
        for (JsonNode x : c.get("inputs")) {
            JsonNode row = x.has("raw") ? x.get("raw") : x;
            if (row.isArray() && row.get(1).isTextual()) {
                keys.add(row.get(1).textValue());
            }
        }
        return keys;
    }

    /** The times of all inputs, in order. */
    TreeSet<Long> times() {
        TreeSet<Long> all = new TreeSet<>();
        for (JsonNode x : c.get("inputs")) {
            JsonNode row = x.has("raw") ? x.get("raw") : x;
            if (row.isArray()) {
                all.add(row.get(3).longValue());
            }
        }
        return all;
    }

    @Override
    public void close() {
        try {
            driver.close();
        } catch (RuntimeException failed) {
            // after an error a task may be unable to close cleanly
        }
    }
}
