package oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Answers cases: one in a line of standard input, the same with its expectations in a line of standard output. A case whose outcome
 * depends on what cases must not depend on comes back with the reason under "skip".
 */
public final class Main {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final File root;
    private int runs;

    private Main(File root) {
        this.root = root;
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        System.setOut(System.err);
        Main m = new Main(new File(args[0]));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode c = (ObjectNode) JSON.readTree(line);
            try {
                m.answer(c);
            } catch (Exception | Error e) {
                c.put("skip", "oracle: " + e);
                e.printStackTrace();
            }
            out.println(JSON.writeValueAsString(c));
            out.flush();
        }
        System.exit(0);
    }

    private void answer(ObjectNode c) throws Exception {
        Map<String, Object> want = run(c, false, Run.Order.TIME_UP);
        Map<String, Object> other = run(c, true, Run.Order.TIME_UP);
        if (!Objects.equals(want.get("error"), other.get("error")) || !Objects.equals(want.get("outputs"), other.get("outputs"))) {
            c.put("skip", "the outcome depends on the kind of store");
            return;
        }
        if (!Objects.equals(want.get("dropped"), other.get("dropped"))) {
            want.put("dropped", null);
        }
        if (want.get("stores") instanceof Map<?, ?> stores) {
            Map<String, Object> kept = new LinkedHashMap<>();
            stores.forEach((name, rows) -> kept.put((String) name,
                rows.equals(((Map<?, ?>) other.get("stores")).get(name)) ? rows : Map.of("kind", "unspecified")));
            want.put("stores", kept);
        }
        if (want.get("describe") instanceof Map<?, ?> d && ((java.util.Collection<?>) d.get("repartition")).size() > 1) {
            if (differs(c, other, Run.Order.TIME_DOWN)) {
                c.put("skip", "the outcome depends on ties");
                return;
            }
            boolean any = !differs(c, other, Run.Order.NAME_UP) && !differs(c, other, Run.Order.NAME_DOWN);
            ((ObjectNode) c.get("config")).put("schedule", any ? "any" : "lowest-timestamp");
        }
        c.set("expect", JSON.valueToTree(want));
    }

    private boolean differs(ObjectNode c, Map<String, Object> from, Run.Order order) throws Exception {
        return !run(c, true, order).equals(from);
    }

    /** Runs a case and returns its expectations. */
    private Map<String, Object> run(JsonNode c, boolean memory, Run.Order order) throws Exception {
        File dir = new File(root, "run" + runs++);
        Map<String, Object> want = new LinkedHashMap<>();
        try {
            Run r;
            try {
                r = new Run(c, memory, order, dir);
            } catch (UnsupportedOperationException e) {
                throw e;
            } catch (Exception e) {
                want.put("error", error("build", e));
                return want;
            }
            try (r) {
                steps(c, r, want);
            }
            return want;
        } finally {
            delete(dir);
        }
    }

    private static void steps(JsonNode c, Run r, Map<String, Object> want) {
        int i = 0;
        try {
            for (JsonNode x : c.get("inputs")) {
                r.step(i, x);
                i++;
            }
        } catch (UnsupportedOperationException e) {
            throw e;
        } catch (Exception e) {
            want.put("error", error(i, e));
        }
        want.put("outputs", r.outputs);
        if (!want.containsKey("error")) {
            want.put("stores", Contents.stores(r));
            want.put("dropped", r.dropped());
        }
        want.put("describe", Contents.description(r.topology));
    }

    private static Map<String, Object> error(Object step, Throwable e) {
        Throwable root = e;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("step", step);
        m.put("class", e.getClass().getSimpleName());
        m.put("root", root.getClass().getSimpleName());
        return m;
    }

    private static void delete(File dir) throws Exception {
        if (dir.exists()) {
            List<File> files = new ArrayList<>();
            try (var all = Files.walk(dir.toPath())) {
                all.sorted(Comparator.reverseOrder()).forEach(p -> files.add(p.toFile()));
            }
            files.forEach(File::delete);
        }
    }
}
