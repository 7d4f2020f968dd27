package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsException;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.StreamPartitioner;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorSupplier;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Builds a case's topology with the DSL. Types are those that the case says, so generics are left out. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Graph {
    private final StreamsBuilder b = new StreamsBuilder();
    private final boolean memory;
    private final Map<String, Object> nodes = new HashMap<>();
    private final Map<String, JsonNode> types = new HashMap<>();

    private Graph(boolean memory) {
        this.memory = memory;
    }

    static Topology build(JsonNode c, boolean memory, Properties config) {
        Graph g = new Graph(memory);
        for (JsonNode n : c.get("topology")) {
            Object made = g.step(n, n.get("op").textValue());
            if (n.has("id")) {
                g.nodes.put(text(n, "id"), made);
                g.types.put(text(n, "id"), n);
            }
        }
        return g.b.build(config);
    }

    static String text(JsonNode n, String name) {
        return n.hasNonNull(name) ? n.get(name).textValue() : null;
    }

    private static Duration ms(JsonNode n, String name) {
        return Duration.ofMillis(n.get(name).longValue());
    }

    static Serde serde(String type) {
        if (type.equals("string")) {
            return Serdes.String();
        }
        if (type.equals("int64")) {
            return Serdes.Long();
        }
        if (type.equals("sw")) {
            return WindowedSerdes.sessionWindowedSerdeFrom(String.class);
        }
        return WindowedSerdes.timeWindowedSerdeFrom(String.class, Long.parseLong(type.substring(3)));
    }

    private static Serde key(JsonNode n) {
        return serde(text(n, "kt"));
    }

    private static Serde value(JsonNode n) {
        return serde(text(n, "vt"));
    }

    private <T> T node(JsonNode n, String name) {
        Object found = nodes.get(text(n, name));
        if (found == null) {
            throw new UnsupportedOperationException("no node " + n.get(name));
        }
        return (T) found;
    }

    private KStream stream(JsonNode n, String name) {
        return node(n, name);
    }

    private KTable table(JsonNode n, String name) {
        return node(n, name);
    }

    private Object step(JsonNode n, String op) {
        switch (op) {
            case "stream":
            case "table":
            case "globalTable":
                return source(n, op);
            case "repartition":
                return stream(n, "in").repartition(
                    Repartitioned.with(key(n), value(n)).withName(text(n, "name")).withStreamPartitioner(dropping(n)));
            case "toTable":
                return stream(n, "in").toTable(materialized(n));
            case "to":
                stream(n, "in").to(text(n, "topic"), Produced.with(key(n), value(n)).withStreamPartitioner(dropping(n)));
                return null;
            case "groupByKey":
                return stream(n, "in").groupByKey(Grouped.with(text(n, "name"), key(n), value(n)));
            case "groupBy": {
                Functions.Two k = Functions.keyFunction(n.get("key"));
                return stream(n, "in").groupBy((KeyValueMapper) k::of, Grouped.with(text(n, "name"), key(n), value(n)));
            }
            case "count":
            case "reduce":
            case "aggregate":
                return aggregate(n, op);
            case "cogroup":
                return cogroup(n);
            case "suppress":
                return table(n, "in").suppress(suppressed(n));
            case "process":
            case "processValues":
                return process(n, op);
            default:
                return op.startsWith("table.") ? tableStep(n, op) : op.endsWith("Join") ? join(n, op) : streamStep(n, op);
        }
    }

    /** A partitioner that drops what a predicate matches; null: the step has none. */
    private static StreamPartitioner dropping(JsonNode n) {
        if (!n.hasNonNull("dropIf")) {
            return null;
        }
        Functions.Test match = Functions.predicate(n.get("dropIf"));
        return (topic, k, v, count) -> match.of(k, v) ? Optional.of(Set.of()) : Optional.empty();
    }

    private Object source(JsonNode n, String op) {
        Consumed consumed = Consumed.with(key(n), value(n));
        if (n.hasNonNull("extractor")) {
            consumed = consumed.withTimestampExtractor(extractor(n.get("extractor")));
        }
        if (op.equals("stream")) {
            List<String> topics = new ArrayList<>();
            if (n.has("topics")) {
                n.get("topics").forEach(t -> topics.add(t.textValue()));
            } else {
                topics.add(text(n, "topic"));
            }
            return b.stream(topics, consumed);
        }
        boolean kept = n.hasNonNull("store");
        if (op.equals("globalTable")) {
            return kept ? b.globalTable(text(n, "topic"), consumed, materialized(n)) : b.globalTable(text(n, "topic"), consumed);
        }
        return kept ? b.table(text(n, "topic"), consumed, materialized(n)) : b.table(text(n, "topic"), consumed);
    }

    private static TimestampExtractor extractor(JsonNode e) {
        return (r, partitionTime) -> {
            String field = Functions.field(r.value(), e.get("field").intValue());
            try {
                long at = Long.parseLong(String.valueOf(field));
                if (at >= 0) {
                    return at;
                }
            } catch (NumberFormatException invalid) {
                // treated like a negative time
            }
            String then = text(e, "invalid");
            if (then.equals("skip")) {
                return -1;
            }
            if (then.equals("partitionTime") && partitionTime >= 0) {
                return partitionTime;
            }
            throw new StreamsException("no time in " + r.value());
        };
    }

    /** How a step's store is to be made: with a name, or with the serdes only. */
    private Materialized materialized(JsonNode n) {
        String store = text(n, "store");
        Serde key = n.has("windows") ? Serdes.String() : key(n);
        Materialized m;
        if (n.hasNonNull("versioned")) {
            m = Materialized.as(Stores.persistentVersionedKeyValueStore(store, ms(n, "versioned"))).withKeySerde(key).withValueSerde(value(n));
        } else if (store == null) {
            m = Materialized.with(key, value(n));
        } else {
            m = Materialized.as(store).withKeySerde(key).withValueSerde(value(n));
        }
        if (n.hasNonNull("retention")) {
            m = m.withRetention(ms(n, "retention"));
        }
        if (n.has("cached") && !n.get("cached").booleanValue()) {
            m = m.withCachingDisabled();
        }
        return m;
    }

    private Object streamStep(JsonNode n, String op) {
        if (op.equals("merge")) {
            KStream all = (KStream) nodes.get(n.get("ins").get(0).textValue());
            for (int i = 1; i < n.get("ins").size(); i++) {
                all = all.merge((KStream) nodes.get(n.get("ins").get(i).textValue()));
            }
            return all;
        }
        KStream in = stream(n, "in");
        Functions.Two k = n.has("key") ? Functions.keyFunction(n.get("key")) : null;
        switch (op) {
            case "filter":
                return in.filter((Predicate) Functions.predicate(n.get("fn"))::of);
            case "filterNot":
                return in.filterNot((Predicate) Functions.predicate(n.get("fn"))::of);
            case "mapValues":
                return in.mapValues((ValueMapperWithKey) Functions.valueFunction(n.get("fn"))::of);
            case "selectKey":
                return in.selectKey((KeyValueMapper) k::of);
            case "map": {
                Functions.Two v = Functions.valueFunction(n.get("fn"));
                return in.map((KeyValueMapper) (key, value) -> new KeyValue<>(k.of(key, value), v.of(key, value)));
            }
            case "flatMap":
                return in.flatMap((KeyValueMapper) Functions.flatFunction(n.get("fn"))::of);
            case "flatMapValues": {
                Functions.Flat f = Functions.flatFunction(n.get("fn"));
                return in.flatMapValues((ValueMapperWithKey) (key, value) -> f.of(key, value).stream().map(row -> row.value).toList());
            }
            case "split":
                return split(n, in);
            default:
                throw new UnsupportedOperationException(op);
        }
    }

    private Object split(JsonNode n, KStream in) {
        BranchedKStream parts = in.split();
        for (JsonNode branch : n.get("branches")) {
            parts = parts.branch((Predicate) Functions.predicate(branch.get("fn"))::of,
                Branched.withConsumer(s -> nodes.put(text(branch, "id"), s)));
        }
        if (n.hasNonNull("default")) {
            parts.defaultBranch(Branched.withConsumer(s -> nodes.put(text(n, "default"), s)));
        } else {
            parts.noDefaultBranch();
        }
        return null;
    }

    private Object tableStep(JsonNode n, String op) {
        boolean kept = n.hasNonNull("store");
        switch (op) {
            case "table.filter": {
                Predicate p = Functions.predicate(n.get("fn"))::of;
                return kept ? table(n, "in").filter(p, materialized(n)) : table(n, "in").filter(p);
            }
            case "table.filterNot": {
                Predicate p = Functions.predicate(n.get("fn"))::of;
                return kept ? table(n, "in").filterNot(p, materialized(n)) : table(n, "in").filterNot(p);
            }
            case "table.mapValues": {
                ValueMapperWithKey f = Functions.valueFunction(n.get("fn"))::of;
                return kept ? table(n, "in").mapValues(f, materialized(n)) : table(n, "in").mapValues(f);
            }
            case "table.process":
                return processTable(n);
            case "table.toStream":
                return n.hasNonNull("key")
                    ? table(n, "in").toStream((KeyValueMapper) Functions.keyFunction(n.get("key"))::of) : table(n, "in").toStream();
            case "table.groupBy": {
                Functions.Two k = Functions.keyFunction(n.get("key"));
                Functions.Two v = Functions.valueFunction(n.get("fn"));
                return table(n, "in").groupBy((KeyValueMapper) (key, value) -> new KeyValue<>(k.of(key, value), v.of(key, value)),
                    Grouped.with(text(n, "name"), key(n), value(n)));
            }
            case "table.count":
                return ((KGroupedTable) node(n, "in")).count(materialized(n));
            case "table.reduce":
                return ((KGroupedTable) node(n, "in")).reduce((Reducer) Functions.reducer(n.get("add"))::of,
                    (Reducer) Functions.reducer(n.get("sub"))::of, materialized(n));
            case "table.aggregate": {
                Functions.Two add = Functions.aggregator(n.get("add"));
                Functions.Two sub = Functions.aggregator(n.get("sub"));
                return ((KGroupedTable) node(n, "in")).aggregate((Initializer) () -> Functions.value(n.get("init")),
                    (Aggregator) (k, v, a) -> add.of(a, v), (Aggregator) (k, v, a) -> sub.of(a, v), materialized(n));
            }
            default:
                throw new UnsupportedOperationException(op);
        }
    }

    private static Windows timeWindows(JsonNode w) {
        TimeWindows all = TimeWindows.ofSizeAndGrace(ms(w, "size"), ms(w, "grace"));
        return text(w, "type").equals("hopping") ? all.advanceBy(ms(w, "advance")) : all;
    }

    private static EmitStrategy emit(JsonNode n) {
        return "close".equals(text(n, "emit")) ? EmitStrategy.onWindowClose() : EmitStrategy.onWindowUpdate();
    }

    private Object aggregate(JsonNode n, String op) {
        KGroupedStream in = node(n, "in");
        Materialized m = materialized(n);
        Initializer init = () -> Functions.value(n.get("init"));
        Functions.Two f = !n.has("fn") ? null : op.equals("reduce") ? Functions.reducer(n.get("fn")) : Functions.aggregator(n.get("fn"));
        Aggregator add = (k, v, a) -> f.of(a, v);
        Reducer reducer = (x, y) -> f.of(x, y);
        if (!n.hasNonNull("windows")) {
            return op.equals("count") ? in.count(m) : op.equals("reduce") ? in.reduce(reducer, m) : in.aggregate(init, add, m);
        }
        JsonNode w = n.get("windows");
        if (text(w, "type").equals("session")) {
            SessionWindowedKStream s = in.windowedBy(SessionWindows.ofInactivityGapAndGrace(ms(w, "gap"), ms(w, "grace")));
            s = n.has("emit") ? s.emitStrategy(emit(n)) : s;
            return op.equals("count") ? s.count(m) : op.equals("reduce") ? s.reduce(reducer, m) : s.aggregate(init, add, merger(n), m);
        }
        TimeWindowedKStream s = text(w, "type").equals("sliding")
            ? in.windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ms(w, "diff"), ms(w, "grace"))) : in.windowedBy(timeWindows(w));
        s = n.has("emit") ? s.emitStrategy(emit(n)) : s;
        return op.equals("count") ? s.count(m) : op.equals("reduce") ? s.reduce(reducer, m) : s.aggregate(init, add, m);
    }

    private static Merger merger(JsonNode n) {
        Functions.Two f = Functions.reducer(n.get("merge"));
        return (k, x, y) -> f.of(x, y);
    }

    private Object cogroup(JsonNode n) {
        CogroupedKStream all = null;
        for (int i = 0; i < n.get("ins").size(); i++) {
            KGroupedStream in = (KGroupedStream) nodes.get(n.get("ins").get(i).textValue());
            Functions.Two f = Functions.aggregator(n.get("fns").get(i));
            Aggregator add = (k, v, a) -> f.of(a, v);
            all = all == null ? in.cogroup(add) : all.cogroup(in, add);
        }
        Initializer init = () -> Functions.value(n.get("init"));
        Materialized m = materialized(n);
        JsonNode w = n.get("windows");
        if (w == null) {
            return all.aggregate(init, m);
        }
        switch (text(w, "type")) {
            case "session":
                return all.windowedBy(SessionWindows.ofInactivityGapAndGrace(ms(w, "gap"), ms(w, "grace"))).aggregate(init, merger(n), m);
            case "sliding":
                return all.windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ms(w, "diff"), ms(w, "grace"))).aggregate(init, m);
            default:
                return all.windowedBy(timeWindows(w)).aggregate(init, m);
        }
    }

    private static Suppressed suppressed(JsonNode n) {
        boolean bound = n.hasNonNull("maxRecords");
        if (text(n, "until").equals("windowCloses")) {
            Suppressed.StrictBufferConfig config = bound
                ? Suppressed.BufferConfig.maxRecords(n.get("maxRecords").longValue()).shutDownWhenFull() : Suppressed.BufferConfig.unbounded();
            Suppressed s = Suppressed.untilWindowCloses(config);
            return n.hasNonNull("name") ? s.withName(text(n, "name")) : s;
        }
        Suppressed.BufferConfig config = Suppressed.BufferConfig.unbounded();
        if (bound) {
            Suppressed.EagerBufferConfig eager = Suppressed.BufferConfig.maxRecords(n.get("maxRecords").longValue());
            config = "shutdown".equals(text(n, "full")) ? eager.shutDownWhenFull() : eager.emitEarlyWhenFull();
        }
        Suppressed s = Suppressed.untilTimeLimit(ms(n, "limit"), config);
        return n.hasNonNull("name") ? s.withName(text(n, "name")) : s;
    }

    private Object join(JsonNode n, String op) {
        Functions.Three f = Functions.joiner(n.get("fn"));
        ValueJoinerWithKey keyed = f::of;
        ValueJoiner plain = (l, r) -> f.of(null, l, r);
        String type = text(n, "type");
        String name = text(n, "name");
        switch (op) {
            case "ssJoin":
                return joinStreams(n, type, keyed);
            case "stJoin": {
                Joined with = Joined.with(serde(text(n, "kt")), null, null);
                with = name == null ? with : with.withName(name);
                with = n.hasNonNull("grace") ? with.withGracePeriod(ms(n, "grace")) : with;
                KStream left = stream(n, "left");
                with = with.withValueSerde(valueOf(n, "left")).withOtherValueSerde(valueOf(n, "right"));
                return type.equals("inner") ? left.join(table(n, "right"), keyed, with) : left.leftJoin(table(n, "right"), keyed, with);
            }
            case "sgJoin": {
                KeyValueMapper k = Functions.keyFunction(n.get("key"))::of;
                KStream left = stream(n, "left");
                GlobalKTable right = node(n, "right");
                return type.equals("inner") ? left.join(right, k, keyed) : left.leftJoin(right, k, keyed);
            }
            case "ttJoin":
                return joinTables(n, type, plain);
            case "fkJoin": {
                KTable left = table(n, "left");
                Functions.Two fk = Functions.keyFunction(n.get("fk"));
                java.util.function.BiFunction foreign = (k, v) -> fk.of(k, v);
                TableJoined with = TableJoined.as(name);
                return type.equals("inner") ? left.join(table(n, "right"), foreign, plain, with, materialized(n))
                    : left.leftJoin(table(n, "right"), foreign, plain, with, materialized(n));
            }
            default:
                throw new UnsupportedOperationException(op);
        }
    }

    private Serde valueOf(JsonNode n, String side) {
        JsonNode type = types.get(text(n, side));
        return type == null ? Serdes.String() : value(type);
    }

    private Object joinStreams(JsonNode n, String type, ValueJoinerWithKey f) {
        KStream left = stream(n, "left");
        KStream right = stream(n, "right");
        StreamJoined with = StreamJoined.with(key(n), valueOf(n, "left"), valueOf(n, "right"));
        with = n.hasNonNull("name") ? with.withName(text(n, "name")) : with;
        with = n.hasNonNull("store") ? with.withStoreName(text(n, "store")) : with;
        long before = n.get("before").longValue();
        long after = n.get("after").longValue();
        JoinWindows within = JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(Math.max(0, Math.max(before, after))), ms(n, "grace"))
            .before(Duration.ofMillis(before)).after(Duration.ofMillis(after));
        return type.equals("inner") ? left.join(right, f, within, with)
            : type.equals("left") ? left.leftJoin(right, f, within, with) : left.outerJoin(right, f, within, with);
    }

    private Object joinTables(JsonNode n, String type, ValueJoiner f) {
        KTable left = table(n, "left");
        KTable right = table(n, "right");
        if (n.hasNonNull("store")) {
            Materialized m = materialized(n);
            return type.equals("inner") ? left.join(right, f, m) : type.equals("left") ? left.leftJoin(right, f, m) : left.outerJoin(right, f, m);
        }
        return type.equals("inner") ? left.join(right, f) : type.equals("left") ? left.leftJoin(right, f) : left.outerJoin(right, f);
    }

    private Object process(JsonNode n, String op) {
        JsonNode proc = n.get("proc");
        JsonNode store = n.get("store");
        String name = store == null ? null : text(store, "name");
        if (store != null) {
            b.addStateStore(store(store, name));
        }
        String[] names = store == null ? new String[0] : new String[] {name};
        if (op.equals("process")) {
            return stream(n, "in").process((ProcessorSupplier) () -> new Processors.Hand(proc, name), names);
        }
        return stream(n, "in").processValues((FixedKeyProcessorSupplier) () -> new Processors.Counter(name), names);
    }

    private Object processTable(JsonNode n) {
        JsonNode store = n.get("store");
        String name = store == null ? null : text(store, "name");
        if (store != null) {
            b.addStateStore(store(store, name));
        }
        String[] names = store == null ? new String[0] : new String[] {name};
        ValueTransformerWithKeySupplier hands = () -> new Processors.TableHand(n.get("proc").get(0).textValue(), name);
        if (!n.hasNonNull("kept")) {
            return table(n, "in").transformValues(hands, names);
        }
        return table(n, "in").transformValues(hands, Materialized.as(text(n, "kept")).withKeySerde(key(n)).withValueSerde(value(n)), names);
    }

    private StoreBuilder store(JsonNode s, String name) {
        switch (text(s, "type")) {
            case "kv":
                return Stores.keyValueStoreBuilder(memory ? Stores.inMemoryKeyValueStore(name) : Stores.persistentKeyValueStore(name), key(s), value(s));
            case "window": {
                Duration retention = ms(s, "retention");
                Duration size = ms(s, "size");
                return Stores.windowStoreBuilder(memory ? Stores.inMemoryWindowStore(name, retention, size, false)
                    : Stores.persistentWindowStore(name, retention, size, false), key(s), value(s));
            }
            case "session": {
                Duration retention = ms(s, "retention");
                return Stores.sessionStoreBuilder(memory ? Stores.inMemorySessionStore(name, retention)
                    : Stores.persistentSessionStore(name, retention), key(s), value(s));
            }
            default:
                return Stores.versionedKeyValueStoreBuilder(Stores.persistentVersionedKeyValueStore(name, ms(s, "history")), key(s), value(s));
        }
    }
}
