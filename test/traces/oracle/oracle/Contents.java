package oracle;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.streams.TopologyDescription;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.processor.internals.InternalTopologyBuilder;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.TimestampedWindowStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.VersionedRecord;
import org.apache.kafka.streams.state.WindowStore;

/** Reads what a case's expectations show after a run: its stores and its topology's description. */
@SuppressWarnings({"unchecked", "rawtypes"})
final class Contents {
    private Contents() {}

    /** A key as JSON shows it. */
    static Object cell(Object k) {
        if (k instanceof Windowed<?> w) {
            Map<String, Object> shown = new LinkedHashMap<>();
            shown.put("k", w.key());
            shown.put("s", w.window().start());
            shown.put("e", w.window().end());
            return shown;
        }
        return k;
    }

    static Map<String, Object> stores(Run r) {
        Map<String, Object> stores = new TreeMap<>();
        for (Map.Entry<String, StateStore> s : r.driver.getAllStateStores().entrySet()) {
            stores.put(s.getKey(), store(r, s.getKey(), s.getValue()));
        }
        return stores;
    }

    private static Map<String, Object> of(String kind) {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("kind", kind);
        return m;
    }

    private static Map<String, Object> store(Run r, String name, StateStore s) {
        if (name.endsWith("-left-shared-join-store") && s instanceof KeyValueStore kv && !kv.all().hasNext()) {
            Map<String, Object> m = of("kv");
            m.put("rows", List.of());
            return m;
        }
        if (name.contains("-shared-join-store") || name.contains("-OUTERSHARED-") || name.contains("SUBSCRIPTION-STATE-STORE")
            || name.contains("-subscription-store")) {
            return of("internal");
        }
        if (name.matches(".*(JOINTHIS|JOINOTHER|OUTERTHIS|OUTEROTHER)-[0-9]+-store|.*-(this|other)-join-store|.*-(outer-this|outer-other)-join-store")) {
            return of("unspecified");
        }
        List<List<Object>> rows = new ArrayList<>();
        Map<String, Object> m;
        if (s instanceof VersionedKeyValueStore v) {
            m = of("versioned");
            versioned(r, name, v, rows);
        } else if (s instanceof TimestampedKeyValueStore kv) {
            m = of("tkv");
            ((KeyValueIterator<Object, ValueAndTimestamp<Object>>) kv.all())
                .forEachRemaining(x -> rows.add(row(cell(x.key), x.value.value(), x.value.timestamp())));
        } else if (s instanceof SessionStore st) {
            m = of("session");
            ((KeyValueIterator<Windowed<Object>, Object>) st.fetch(null, null)).forEachRemaining(x -> {
                if (!Functions.text(x.key.key()).contains("@")) { // cases list the sessions of keys as inputs have them
                    rows.add(row(x.key.key(), x.key.window().start(), x.key.window().end(), x.value));
                }
            });
        } else if (s instanceof TimestampedWindowStore w) {
            m = of("twindow");
            ((KeyValueIterator<Windowed<Object>, ValueAndTimestamp<Object>>) w.all())
                .forEachRemaining(x -> rows.add(row(x.key.key(), x.key.window().start(), x.value.value(), x.value.timestamp())));
        } else if (s instanceof WindowStore w) {
            m = of("window");
            ((KeyValueIterator<Windowed<Object>, Object>) w.all())
                .forEachRemaining(x -> rows.add(row(x.key.key(), x.key.window().start(), x.value)));
        } else if (s instanceof KeyValueStore kv) {
            m = of("kv");
            ((KeyValueIterator<Object, Object>) kv.all()).forEachRemaining(x -> rows.add(row(cell(x.key), x.value)));
        } else {
            return of("internal");
        }
        if (!m.get("kind").equals("versioned")) {
            rows.sort(Comparator.comparing((List<Object> x) -> Functions.text(x.get(0)))
                .thenComparing(x -> x.get(1) instanceof Long l ? l : 0L));
        }
        m.put("rows", rows);
        return m;
    }

    private static List<Object> row(Object... cells) {
        List<Object> list = new ArrayList<>();
        for (Object cell : cells) {
            list.add(cell);
        }
        return list;
    }

    private static void versioned(Run r, String name, VersionedKeyValueStore st, List<List<Object>> rows) {
        List<Long> times = new ArrayList<>(r.times());
        List<Long> asOf = new ArrayList<>();
        int n = Math.min(6, times.size());
        for (int i = 0; i < n; i++) {
            asOf.add(times.get(n == 1 ? 0 : i * (times.size() - 1) / (n - 1)));
        }
        asOf.add(null);
        for (Object key : keys(r, name)) {
            for (Long at : asOf) {
                VersionedRecord found = at == null ? st.get(key) : st.get(key, at);
                rows.add(row(key, at, found == null ? null : found.value(), found == null ? null : found.timestamp()));
            }
        }
    }

    /** The keys that a store's changelog has seen, or its source topic. */
    private static TreeSet<Object> keys(Run r, String store) {
        return r.keysOf(changelogs(r.topology).getOrDefault(store, "app-" + store + "-changelog"));
    }

    private static InternalTopologyBuilder internal(Topology t) {
        try {
            return (InternalTopologyBuilder) Run.field(Topology.class, "internalTopologyBuilder").get(t);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Map<String, String> changelogs(Topology t) {
        Map<String, String> byStore = new TreeMap<>();
        internal(t).subtopologyToTopicsInfo().values().forEach(info -> info.stateChangelogTopics.keySet()
            .forEach(topic -> byStore.put(internal(t).storeForChangelogTopic(topic), topic)));
        return byStore;
    }

    static Map<String, Object> description(Topology t) {
        TopologyDescription d = t.describe();
        TreeSet<String> repartition = new TreeSet<>();
        TreeSet<String> changelog = new TreeSet<>();
        internal(t).subtopologyToTopicsInfo().values().forEach(info -> {
            repartition.addAll(info.repartitionSourceTopics.keySet());
            changelog.addAll(info.stateChangelogTopics.keySet());
        });
        TreeSet<String> stores = new TreeSet<>();
        d.subtopologies().forEach(sub -> sub.nodes().forEach(n -> {
            if (n instanceof TopologyDescription.Processor p) {
                stores.addAll(p.stores());
            }
        }));
        d.globalStores().forEach(g -> stores.addAll(g.processor().stores()));
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("subtopologies", d.subtopologies().size());
        shown.put("global", d.globalStores().size());
        shown.put("repartition", repartition);
        shown.put("changelog", changelog);
        shown.put("stores", stores);
        return shown;
    }
}
