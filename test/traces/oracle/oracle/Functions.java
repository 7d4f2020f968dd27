package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Windowed;

/** The functions that cases name. Values are String, Long or null, keys also Windowed. */
final class Functions {
    private Functions() {}

    interface Two {
        Object of(Object a, Object b);
    }

    interface Three {
        Object of(Object a, Object b, Object c);
    }

    interface Test {
        boolean of(Object k, Object v);
    }

    interface Flat {
        List<KeyValue<Object, Object>> of(Object k, Object v);
    }

    /** Shows a key or value as text. */
    static String text(Object x) {
        if (x instanceof Windowed<?> w) {
            return text(w.key()) + "@" + w.window().start() + "/" + w.window().end();
        }
        return String.valueOf(x);
    }

    private static long number(Object x) {
        return x == null ? 0 : (Long) x;
    }

    /** Reads a value from JSON. */
    static Object value(JsonNode n) {
        if (n == null || n.isNull()) {
            return null;
        }
        return n.isTextual() ? n.textValue() : (Object) n.longValue();
    }

    static Test predicate(JsonNode f) {
        switch (f.get(0).textValue()) {
            case "contains":
                return (k, v) -> v instanceof String s && s.contains(f.get(1).textValue());
            case "lenGt":
                return (k, v) -> v instanceof String s && s.length() > f.get(1).intValue();
            case "gt":
                return (k, v) -> v instanceof Long i && i > f.get(1).longValue();
            case "even":
                return (k, v) -> v instanceof Long i && i % 2 == 0;
            case "valNull":
                return (k, v) -> v == null;
            case "keyIn":
                return (k, v) -> {
                    for (JsonNode x : f.get(1)) {
                        if (x.textValue().equals(text(k))) {
                            return true;
                        }
                    }
                    return false;
                };
            default:
                throw unknown(f);
        }
    }

    private static RuntimeException unknown(JsonNode f) {
        return new UnsupportedOperationException("function " + f);
    }

    static Two valueFunction(JsonNode f) {
        switch (f.get(0).textValue()) {
            case "const":
                return (k, v) -> value(f.get(1));
            case "withKey":
                return (k, v) -> text(k) + ":" + text(v);
            default:
                return (k, v) -> v == null ? null : notNull(f, v);
        }
    }

    private static Object notNull(JsonNode f, Object v) {
        switch (f.get(0).textValue()) {
            case "id":
                return v;
            case "upper":
                return text(v).toUpperCase();
            case "append":
                return text(v) + f.get(1).textValue();
            case "len":
                return (long) text(v).length();
            case "str":
                return text(v);
            case "nullIf":
                return text(v).contains(f.get(1).textValue()) ? null : v;
            case "add":
                return number(v) + f.get(1).longValue();
            case "mod":
                return Math.floorMod(number(v), f.get(1).longValue());
            case "num":
                String digits = text(v).replaceAll("[^0-9]", "");
                digits = digits.substring(0, Math.min(9, digits.length()));
                return digits.isEmpty() ? 0L : Long.parseLong(digits);
            default:
                throw unknown(f);
        }
    }

    /** Returns the i-th part of a value, null if it is missing or empty. */
    static String field(Object v, int i) {
        if (v == null) {
            return null;
        }
        String[] parts = text(v).split("\\|", -1);
        return i < parts.length && !parts[i].isEmpty() ? parts[i] : null;
    }

    private static String first(String s, int n) {
        return s.substring(0, Math.min(n, s.length()));
    }

    static Two keyFunction(JsonNode f) {
        switch (f.get(0).textValue()) {
            case "id":
                return (k, v) -> k;
            case "const":
                return (k, v) -> value(f.get(1));
            case "keyFirst":
                return (k, v) -> k == null ? null : first(text(k), f.get(1).intValue());
            case "nullIfKey":
                return (k, v) -> text(k).equals(f.get(1).textValue()) ? null : k;
            case "withVal":
                return (k, v) -> text(k) + "-" + text(v);
            case "inner":
                return (k, v) -> ((Windowed<?>) k).key();
            case "winStr":
                return (k, v) -> text(k);
            default:
                return (k, v) -> v == null ? null : keyOfValue(f, v);
        }
    }

    private static Object keyOfValue(JsonNode f, Object v) {
        switch (f.get(0).textValue()) {
            case "val":
                return text(v);
            case "valFirst":
                return first(text(v), f.get(1).intValue());
            case "valLen":
                return (long) text(v).length();
            case "valMod":
                return "m" + Math.floorMod(number(v), f.get(1).longValue());
            case "field":
                return field(v, f.get(1).intValue());
            default:
                throw unknown(f);
        }
    }

    static Flat flatFunction(JsonNode f) {
        String name = f.get(0).textValue();
        return (k, v) -> {
            List<KeyValue<Object, Object>> rows = new ArrayList<>();
            if (name.equals("dup")) {
                for (int i = 1; i <= f.get(1).intValue(); i++) {
                    rows.add(new KeyValue<>(k, v == null ? null : text(v) + "#" + i));
                }
                return rows;
            }
            if (v == null) {
                return rows;
            }
            for (String part : text(v).split(name.equals("split") ? "," : ";")) {
                if (part.isEmpty()) {
                    continue;
                }
                int at = part.indexOf('=');
                if (name.equals("split")) {
                    rows.add(new KeyValue<>(k, part));
                } else if (at < 0) {
                    rows.add(new KeyValue<>(null, tilde(part)));
                } else {
                    rows.add(new KeyValue<>(tilde(part.substring(0, at)), tilde(part.substring(at + 1))));
                }
            }
            return rows;
        };
    }

    private static Object tilde(String s) {
        return s.equals("~") ? null : s;
    }

    static Two aggregator(JsonNode f) {
        String name = f.get(0).textValue();
        switch (name) {
            case "concat":
                return (a, v) -> (a == null ? "" : a) + f.get(1).textValue() + text(v);
            case "concatNull":
                return (a, v) -> text(v).contains(f.get(2).textValue()) ? null : (a == null ? "" : a) + f.get(1).textValue() + text(v);
            case "cnt":
                return (a, v) -> number(a) + 1;
            case "max":
            case "min":
                return (a, v) -> a == null ? v : arithmetic(name, a, v);
            default:
                return (a, v) -> arithmetic(name, a, v);
        }
    }

    private static Object arithmetic(String name, Object a, Object b) {
        switch (name) {
            case "sum":
                return number(a) + number(b);
            case "sub":
                return number(a) - number(b);
            case "max":
                return Math.max(number(a), number(b));
            case "min":
                return Math.min(number(a), number(b));
            default:
                throw new UnsupportedOperationException("function " + name);
        }
    }

    static Two reducer(JsonNode f) {
        String name = f.get(0).textValue();
        switch (name) {
            case "concat":
                return (a, b) -> text(a) + f.get(1).textValue() + text(b);
            case "last":
                return (a, b) -> b;
            case "first":
                return (a, b) -> a;
            case "nullIfNew":
                return (a, b) -> text(b).contains(f.get(1).textValue()) ? null : text(a) + "," + text(b);
            default:
                return (a, b) -> arithmetic(name, a, b);
        }
    }

    static Three joiner(JsonNode f) {
        switch (f.get(0).textValue()) {
            case "pair":
                return (k, l, r) -> paired(l, r);
            case "pairKey":
                return (k, l, r) -> text(k) + paired(l, r);
            case "right":
                return (k, l, r) -> r;
            case "pairNull":
                return (k, l, r) -> text(r).contains(f.get(1).textValue()) ? null : paired(l, r);
            default:
                throw unknown(f);
        }
    }

    private static String paired(Object l, Object r) {
        return "(" + text(l) + "," + text(r) + ")";
    }
}
