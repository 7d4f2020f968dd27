package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.ValueTransformerWithKey;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
import org.apache.kafka.streams.processor.Cancellable;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.VersionedRecord;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.WindowStoreIterator;

/** The processors that cases name. */
final class Processors {
    private Processors() {}

    /** A step of process. */
    static final class Hand implements Processor<Object, Object, Object, Object> {
        private final JsonNode f;
        private final String store;
        private ProcessorContext<Object, Object> context;
        private long count;
        private long ticks;
        private Cancellable schedule;

        Hand(JsonNode f, String store) {
            this.f = f;
            this.store = store;
        }

        private <S> S store() {
            return context.getStateStore(store);
        }

        private long arg(int i) {
            return f.get(i).longValue();
        }

        private PunctuationType clock(int i) {
            return f.get(i).textValue().equals("wall") ? PunctuationType.WALL_CLOCK_TIME : PunctuationType.STREAM_TIME;
        }

        @Override
        public void init(ProcessorContext<Object, Object> c) {
            context = c;
            switch (f.get(0).textValue()) {
                case "ttl":
                    c.schedule(Duration.ofMillis(arg(2)), clock(3), this::expire);
                    break;
                case "tick":
                    schedule = c.schedule(Duration.ofMillis(arg(1)), clock(2), this::tick);
                    break;
                default:
            }
        }

        private void tick(long now) {
            context.forward(new Record<>("tick", "n=" + count, now));
            count = 0;
            if (++ticks == arg(3)) {
                schedule.cancel();
            }
        }

        private void expire(long now) {
            KeyValueStore<Object, Object> st = store();
            List<KeyValue<Object, Object>> old = new ArrayList<>();
            try (KeyValueIterator<Object, Object> all = st.all()) {
                while (all.hasNext()) {
                    KeyValue<Object, Object> row = all.next();
                    if (now - (Long) row.value >= arg(1)) {
                        old.add(row);
                    }
                }
            }
            for (KeyValue<Object, Object> row : old) {
                st.delete(row.key);
                context.forward(new Record<>(row.key, "expired", now));
            }
        }

        @Override
        public void process(Record<Object, Object> r) {
            switch (f.get(0).textValue()) {
                case "dedup":
                    dedup(r);
                    break;
                case "runningMax":
                    runningMax(r);
                    break;
                case "ttl":
                    ttl(r);
                    break;
                case "tick":
                    count++;
                    break;
                case "winSum":
                    winSum(r);
                    break;
                case "sessCount":
                    sessCount(r);
                    break;
                case "versionedGet":
                    versionedGet(r);
                    break;
                case "clock":
                    context.forward(r.withValue("st=" + context.currentStreamTimeMs() + ",wt=" + context.currentSystemTimeMs()));
                    break;
                case "reTs":
                    context.forward(r.withTimestamp(Math.max(0, r.timestamp() + arg(1))));
                    break;
                case "failOn":
                    if (Functions.text(r.value()).contains(f.get(1).textValue())) {
                        throw new IllegalStateException("fails on " + r.value());
                    }
                    context.forward(r);
                    break;
                default:
                    throw new UnsupportedOperationException("processor " + f);
            }
        }

        private void dedup(Record<Object, Object> r) {
            if (r.key() != null) {
                KeyValueStore<Object, Object> st = store();
                Long last = (Long) st.get(r.key());
                if (last != null && r.timestamp() - last < arg(1)) {
                    return;
                }
                st.put(r.key(), r.timestamp());
            }
            context.forward(r);
        }

        private void runningMax(Record<Object, Object> r) {
            if (r.key() == null || r.value() == null) {
                return;
            }
            KeyValueStore<Object, Object> st = store();
            Long last = (Long) st.get(r.key());
            if (last == null || (Long) r.value() > last) {
                st.put(r.key(), r.value());
                context.forward(r);
            }
        }

        private void ttl(Record<Object, Object> r) {
            if (r.key() == null) {
                return;
            }
            KeyValueStore<Object, Object> st = store();
            if (r.value() == null) {
                st.delete(r.key());
                return;
            }
            st.put(r.key(), clock(3) == PunctuationType.STREAM_TIME ? r.timestamp() : context.currentSystemTimeMs());
            context.forward(r.withValue(Functions.text(r.value())));
        }

        private void winSum(Record<Object, Object> r) {
            if (r.key() == null) {
                return;
            }
            WindowStore<Object, Object> st = store();
            long start = r.timestamp() - r.timestamp() % arg(1);
            Object old = st.fetch(r.key(), start);
            st.put(r.key(), old == null ? 1L : (Long) old + 1, start);
            long sum = 0;
            long n = 0;
            try (WindowStoreIterator<Object> found = st.fetch(r.key(), Math.max(0, start - arg(2)), start)) {
                while (found.hasNext()) {
                    sum += (Long) found.next().value;
                    n++;
                }
            }
            context.forward(r.withValue(sum + "/" + n));
        }

        private void sessCount(Record<Object, Object> r) {
            if (r.key() == null) {
                return;
            }
            SessionStore<Object, Object> st = store();
            long start = r.timestamp();
            long end = start;
            long sum = 1;
            List<Windowed<Object>> old = new ArrayList<>();
            try (KeyValueIterator<Windowed<Object>, Object> found = st.findSessions(r.key(), Math.max(0, start - arg(1)), end + arg(1))) {
                while (found.hasNext()) {
                    KeyValue<Windowed<Object>, Object> s = found.next();
                    start = Math.min(start, s.key.window().start());
                    end = Math.max(end, s.key.window().end());
                    sum += (Long) s.value;
                    old.add(s.key);
                }
            }
            old.forEach(st::remove);
            st.put(new Windowed<>(r.key(), new SessionWindow(start, end)), sum);
            context.forward(r.withValue(start + "-" + end + ":" + sum));
        }

        private void versionedGet(Record<Object, Object> r) {
            if (r.key() == null) {
                return;
            }
            VersionedKeyValueStore<Object, Object> st = store();
            st.put(r.key(), r.value(), r.timestamp());
            context.forward(r.withValue(shown(st.get(r.key(), r.timestamp() - arg(1))) + "/" + shown(st.get(r.key()))));
        }

        private static String shown(VersionedRecord<Object> v) {
            return v == null ? "null" : Functions.text(v.value()) + "@" + v.timestamp();
        }
    }

    /** A step of processValues: it counts. */
    static final class Counter implements FixedKeyProcessor<Object, Object, Object> {
        private final String store;
        private FixedKeyProcessorContext<Object, Object> context;

        Counter(String store) {
            this.store = store;
        }

        @Override
        public void init(FixedKeyProcessorContext<Object, Object> c) {
            context = c;
        }

        @Override
        public void process(FixedKeyRecord<Object, Object> r) {
            if (r.key() == null) {
                return;
            }
            KeyValueStore<Object, Object> st = context.getStateStore(store);
            Object old = st.get(r.key());
            long n = old == null ? 1 : (Long) old + 1;
            st.put(r.key(), n);
            context.forward(r.withValue(Functions.text(r.value()) + "#" + n));
        }
    }

    /** A step of table.process. */
    static final class TableHand implements ValueTransformerWithKey<Object, Object, Object> {
        private final String f;
        private final String store;
        private KeyValueStore<Object, Object> counts;

        TableHand(String f, String store) {
            this.f = f;
            this.store = store;
        }

        @Override
        public void init(org.apache.kafka.streams.processor.ProcessorContext c) {
            counts = store == null ? null : c.getStateStore(store);
        }

        @Override
        public Object transform(Object k, Object v) {
            switch (f) {
                case "mark":
                    return v == null ? null : Functions.text(v) + "!";
                case "undelete":
                    return Functions.text(v);
                default:
                    Object old = counts.get(k);
                    long n = old == null ? 1 : (Long) old + 1;
                    counts.put(k, n);
                    return f.equals("countUpdates") || n % 2 == 1 ? Functions.text(v) + "#" + n : null;
            }
        }

        @Override
        public void close() {}
    }
}
