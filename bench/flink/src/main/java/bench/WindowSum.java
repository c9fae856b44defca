package bench;

import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.WindowAssigner;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** examples/window_sum, for Flink: --size ms --slide ms. */
public class WindowSum {
  public static void main(String[] args) throws Exception {
    KafkaJob job = new KafkaJob(args);
    Duration size = Duration.ofMillis(Long.parseLong(job.arguments.getString("size", "1000")));
    Duration slide = Duration.ofMillis(
        Long.parseLong(job.arguments.getString("slide", Long.toString(size.toMillis()))));
    WindowAssigner<Object, TimeWindow> windows = size.equals(slide)
        ? TumblingEventTimeWindows.of(size) : SlidingEventTimeWindows.of(size, slide);
    WatermarkStrategy<String> strategy =
        WatermarkStrategy.<String>forBoundedOutOfOrderness(Duration.ofSeconds(1))
            .withTimestampAssigner((line, unused) -> {
              int begin = line.indexOf(',') + 1;
              return Long.parseLong(line, begin, line.indexOf(',', begin), 10);
            });
    job.environment.fromSource(job.source(), strategy, "lines")
        .map(line -> Tuple2.of(line.substring(0, line.indexOf(',')),
            Long.parseLong(line, line.lastIndexOf(',') + 1, line.length(), 10)))
        .returns(Types.TUPLE(Types.STRING, Types.LONG))
        .keyBy(value -> value.f0).window(windows).aggregate(new Sum(), new Emit())
        .sinkTo(job.sink());
    job.environment.execute("window_sum");
  }

  static class Sum implements AggregateFunction<Tuple2<String, Long>, Long, Long> {
    @Override
    public Long createAccumulator() {
      return 0L;
    }

    @Override
    public Long add(Tuple2<String, Long> value, Long sum) {
      return sum + value.f1;
    }

    @Override
    public Long getResult(Long sum) {
      return sum;
    }

    @Override
    public Long merge(Long a, Long b) {
      return a + b;
    }
  }

  static class Emit extends ProcessWindowFunction<Long, String, String, TimeWindow> {
    @Override
    public void process(String key, Context context, Iterable<Long> sums, Collector<String> out) {
      out.collect(key + "," + context.window().getStart() + "," + sums.iterator().next());
    }
  }
}
