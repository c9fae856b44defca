"""What the benches of throughput say of a contestant."""


def show(result):
    line = (f"{result['name']:28} {result['records_per_second']:>11,.0f}/s  "
            f"{result['cpu_s_per_million']:6.2f} CPU s/M  (broker {result['broker_cpu_s_per_million']:.2f})  "
            f"{result['peak_memory_mib']:6,.0f} MiB")
    if "checkpoint_ms_median" in result:
        line += (f"  checkpoints {result['checkpoint_ms_median']:.0f} ms, "
                 f"at most {result['checkpoint_ms_max']:.0f}")
    return line
