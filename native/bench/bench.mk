# make bench: the engine on loopback under a load of its own; BENCH_ARGS as in bench/rtpfork_bench.c.
.PHONY: bench
bench: $(BUILD)/release/bench/rtpfork_bench
	$(Q)./$< $(BENCH_ARGS)

$(BUILD)/release/bench/rtpfork_bench: $(BUILD)/release/bench/rtpfork_bench.o $(BUILD)/release/librtpfork.a
	$(Q)$(CC) $(CFLAGS) $^ $(LDLIBS) -o $@
