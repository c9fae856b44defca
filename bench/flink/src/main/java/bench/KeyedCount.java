package bench;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** examples/keyed_count, for Flink. */
public class KeyedCount {
  public static void main(String[] args) throws Exception {
    KafkaJob job = new KafkaJob(args);
    job.environment.fromSource(job.source(), WatermarkStrategy.noWatermarks(), "lines")
        .keyBy(line -> line.substring(0, line.indexOf(','))).process(new Count())
        .sinkTo(job.sink());
    job.environment.execute("keyed_count");
  }

  static class Count extends KeyedProcessFunction<String, String, String> {
    private transient ValueState<Long> count;

    @Override
    public void open(OpenContext context) {
      count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
    }

    @Override
    public void processElement(String line, Context context, Collector<String> out)
        throws Exception {
      Long before = count.value();
      long now = before == null ? 1 : before + 1;
      count.update(now);
      out.collect(context.getCurrentKey() + "," + now);
    }
  }
}
