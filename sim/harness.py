"""The Verilog around a design under check, which the cocotb bench drives in batches.

Python that woke up in every cycle would be the slowest part of a simulation by far. So cocotb
hands a batch of beats to one wide port, this harness plays them into the design's stream one a
cycle, with pauses drawn from a seeded register, collects the results, and calls for attention when
the batch is gone. It also counts what happened on the streams, and breaches of the protocol.

A batch is one vector, beat 0 in the lowest bits. A beat is, least significant first::

    | i_a | i_b [| i_mode] [| i_random] [| i_a_scale] [| i_b_scale] | i_last |    stream
    | a | b | partial_sum_i [| chunk_end] [| mode] [| random] [| a_scale] [| b_scale] |    unit

and a result is one o beat, or `partial_sum_o`.
"""

from dataclasses import dataclass

from macsmith.model.design import Design
from macsmith.model.switch import switch_widths
from macsmith.model.widths import mac_widths

__all__ = [
    "COUNTERS",
    "HARNESS_NAME",
    "PUBLIC_PORTS",
    "BeatLayout",
    "beat_layout",
    "harness_verilog",
]

HARNESS_NAME = "macsmith_bench"

#: What the harness counts, in the order of its `counters` port, 32 bits each.
COUNTERS = (
    "cycles",
    "accepted_beats",
    "input_stall_cycles",  # i_valid without i_ready
    "input_gap_cycles",  # i_ready without i_valid, between beats of the batch
    "output_stall_cycles",  # o_valid without o_ready
    "output_beats",
    "back_to_back_sums",  # the beat after a last one was accepted in the very next cycle
    "dropped_valid",  # breach: o_valid went away before the beat was taken
    "changed_data",  # breach: o_data changed while the beat was stalled
    "latency_cycles",  # of the newest sum that found the design empty and o_ready high
    "idle_cycles",  # since the last handshake
)

#: A batch is ended after this many cycles without any handshake.
IDLE_LIMIT_CYCLES = 1024

PUBLIC_PORTS = (
    "clk",
    "rst",
    "go",
    "is_new",
    "is_drain",
    "beats",
    "beat_count",
    "valid_rate",
    "ready_rate",
    "attention",
    "results",
    "result_count",
    "counters",
)

# Wider vectors than this are slow to move; batches shrink instead.
_TARGET_BATCH_BITS = 32768


@dataclass(frozen=True)
class BeatLayout:
    """Bits of one beat and one result, and how many a batch holds.

    `a_bits`, `b_bits`: all lanes of all rows or columns together. `extra_bits`: i_last of a
    stream; partial sum and chunk_end of a unit; `mode_bits` of them are the mode, `random_bits` the
    random word at a port, `scale_bits` the scales of blocks (no design has two of these).
    `results_per_batch` leaves room for results that were still in the design.
    """

    a_bits: int
    b_bits: int
    extra_bits: int
    result_bits: int
    batch_beats: int
    results_per_batch: int
    mode_bits: int = 0
    random_bits: int = 0
    scale_bits: int = 0

    @property
    def beat_bits(self) -> int:
        """Bits of one beat."""
        return self.a_bits + self.b_bits + self.extra_bits


def beat_layout(design: Design) -> BeatLayout:
    """Layout of the beats and results of a design."""
    mac, implementation = design.mac, design.implementation
    widths = mac_widths(mac)
    a_bits = implementation.rows * mac.lanes * mac.a.bits
    b_bits = implementation.columns * mac.lanes * mac.b.bits
    mode_bits = 0
    partial_sum_bits, output_bits = widths.partial_sum_bits, widths.output_bits
    if design.is_switchable:
        common = switch_widths(design.modes)
        mode_bits = common.mode_bits
        a_bits = implementation.rows * common.lanes * common.a_slot_bits
        b_bits = implementation.columns * common.lanes * common.b_slot_bits
        partial_sum_bits, output_bits = common.partial_sum_bits, common.output_bits
    if implementation.form == "unit":
        extra_bits = partial_sum_bits + mac.has_chunk_end
        result_bits = partial_sum_bits
    else:
        extra_bits = 1
        result_bits = implementation.columns * output_bits
    has_random_port = implementation.form == "unit" or implementation.lfsr == "port"
    random_bits = mac.random_bits if has_random_port else 0
    scale_bits = sum(width for _, width in _scale_widths(design))
    extra_bits += mode_bits + random_bits + scale_bits
    widest = max(a_bits + b_bits + extra_bits, 2 * result_bits)
    batch = 512
    while batch > 4 and batch * widest > _TARGET_BATCH_BITS:
        batch //= 2
    return BeatLayout(
        a_bits,
        b_bits,
        extra_bits,
        result_bits,
        batch,
        2 * batch,
        mode_bits,
        random_bits,
        scale_bits,
    )


def _scale_widths(design: Design) -> list[tuple[str, int]]:
    """Widths of the scale ports, of those operands that have one."""
    mac, implementation = design.mac, design.implementation
    sides = (("a", mac.a_scale, implementation.rows), ("b", mac.b_scale, implementation.columns))
    return [(side, count * fmt.bits) for side, fmt, count in sides if fmt is not None]


def _scale_ports(design: Design, prefix: str, at: int) -> str:
    """Scale ports, wired to the bits of a beat from `at` on."""
    text = ""
    for side, width in _scale_widths(design):
        text += f"\n    .{prefix}{side}_scale(beat[{at} +: {width}]),"
        at += width
    return text


def _design_instance(design: Design, layout: BeatLayout) -> str:
    """The instance of the design, wired to the bits of a beat."""
    a = f"beat[{layout.a_bits - 1}:0]"
    b = f"beat[{layout.a_bits + layout.b_bits - 1}:{layout.a_bits}]"
    first = layout.a_bits + layout.b_bits
    if design.implementation.form == "unit":
        psum_bits = layout.result_bits
        has_chunks = design.mac.has_chunk_end
        chunk_end = f"\n    .chunk_end(beat[{first + psum_bits}])," if has_chunks else ""
        chunk_end += _scale_ports(design, "", layout.beat_bits - layout.scale_bits)
        if layout.mode_bits:
            chunk_end += f"\n    .mode(beat[{layout.beat_bits - 1} -: {layout.mode_bits}]),"
        if layout.random_bits:
            chunk_end += f"\n    .random(beat[{layout.beat_bits - 1} -: {layout.random_bits}]),"
        return f"""\
  // a unit is combinational: its result leaves in the cycle in which its operands come
  assign i_ready = o_ready;
  assign o_valid = i_valid;
  \\{design.id}  dut (
    .a({a}),
    .b({b}),{chunk_end}
    .partial_sum_i(beat[{first + psum_bits - 1}:{first}]),
    .partial_sum_o(o_data)
  );"""
    mode = f"\n    .i_mode(beat[{first} +: {layout.mode_bits}])," if layout.mode_bits else ""
    random, wire = _scale_ports(design, "i_", first), ""
    if layout.random_bits:
        random = f"\n    .i_random(beat[{first} +: {layout.random_bits}]),"
    elif design.mac.random_bits and design.implementation.lfsr == "inside":
        # shown by the results: nothing here looks at it
        wire = f"  wire [{design.mac.random_bits - 1}:0] o_random;\n"
        random = "\n    .o_random(o_random),"
    return f"""\
{wire}  \\{design.id}  dut (
    .clk(clk),
    .rst(rst),
    .i_valid(i_valid),
    .i_ready(i_ready),{mode}
    .i_a({a}),
    .i_b({b}),{random}
    .i_last(is_last),
    .o_valid(o_valid),
    .o_ready(o_ready),
    .o_data(o_data)
  );"""


def harness_verilog(design: Design) -> str:
    """Verilog-2005 text of the harness, module `HARNESS_NAME`, for one design."""
    layout = beat_layout(design)
    is_last = "1'b1" if design.implementation.form == "unit" else f"beat[{layout.beat_bits - 1}]"
    count_bits = layout.batch_beats.bit_length()
    result_count_bits = layout.results_per_batch.bit_length()
    counters = ",\n    ".join(reversed(COUNTERS))
    registers = "\n".join(f"  reg [31:0] {name};" for name in COUNTERS)
    resets = "\n".join(f"      {name} <= 32'd0;" for name in COUNTERS)
    return f"""\
// Bench for {design.text}, written by macsmith: plays batches of beats into the design.
// A synchronous reset of the bench is the reset of the design.
module {HARNESS_NAME} (
  input  wire clk,
  input  wire rst,
  input  wire go,          // a batch may run; low acknowledges attention
  input  wire is_new,      // the beats are new ones (else go on with the rest of the last ones)
  input  wire is_drain,    // no beats: run until idle, to collect what is left
  input  wire [{layout.batch_beats * layout.beat_bits - 1}:0] beats,
  input  wire [{count_bits - 1}:0] beat_count,
  input  wire [8:0] valid_rate,  // a new beat is offered with probability rate / 256
  input  wire [8:0] ready_rate,  // a result is taken with that probability
  output reg  attention,
  output reg  [{layout.results_per_batch * layout.result_bits - 1}:0] results,
  output reg  [{result_count_bits - 1}:0] result_count,
  output wire [{32 * len(COUNTERS) - 1}:0] counters
);
{registers}
  reg [{count_bits - 1}:0] at;
  reg running;
  reg was_offered;         // a beat once offered stays until it is taken
  reg was_stalled;
  reg was_last;            // the last cycle took the last beat of a sum
  reg is_timed;            // the newest sum found the design empty
  reg [31:0] outstanding;  // result beats that the taken sums still owe
  reg [31:0] age;          // cycles since the newest last beat
  reg [{layout.result_bits - 1}:0] stalled_data;
  reg [31:0] random;
  wire [31:0] random_1 = random ^ (random << 13);
  wire [31:0] random_2 = random_1 ^ (random_1 >> 17);
  wire [31:0] random_3 = random_2 ^ (random_2 << 5);

  wire has_beat = at < beat_count;
  wire [{layout.beat_bits - 1}:0] beat = beats[at * {layout.beat_bits} +: {layout.beat_bits}];
  wire is_last = {is_last};
  wire is_full = result_count == {result_count_bits}'d{layout.results_per_batch};
  wire i_valid = has_beat & (was_offered | (running & ({{1'b0, random[7:0]}} < valid_rate)));
  wire o_ready = running & !is_full & ({{1'b0, random[15:8]}} < ready_rate);
  wire i_ready;
  wire o_valid;
  wire [{layout.result_bits - 1}:0] o_data;
  wire takes_beat = i_valid & i_ready;
  wire takes_result = o_valid & o_ready;
  wire ends_sum = takes_beat & is_last;

  assign counters = {{
    {counters}
  }};

{_design_instance(design, layout)}

  always @(posedge clk) begin
    random <= random_3;
    cycles <= cycles + 32'd1;
    was_offered <= i_valid & !i_ready;
    was_stalled <= o_valid & !o_ready;
    stalled_data <= o_data;
    was_last <= ends_sum;
    if (!go) attention <= 1'b0;
    if (go & !running & !attention) begin
      running <= 1'b1;
      idle_cycles <= 32'd0;
      result_count <= {result_count_bits}'d0;
      if (is_new) at <= {count_bits}'d0;
    end
    if (running) begin
      idle_cycles <= (takes_beat | takes_result) ? 32'd0 : idle_cycles + 32'd1;
      if (is_full | (!has_beat & !is_drain) | (idle_cycles == 32'd{IDLE_LIMIT_CYCLES})) begin
        running <= 1'b0;
        attention <= 1'b1;
      end
    end
    if (takes_beat) begin
      at <= at + {count_bits}'d1;
      accepted_beats <= accepted_beats + 32'd1;
      if (was_last) back_to_back_sums <= back_to_back_sums + 32'd1;
    end
    if (i_valid & !i_ready) input_stall_cycles <= input_stall_cycles + 32'd1;
    if (running & has_beat & !i_valid & i_ready) input_gap_cycles <= input_gap_cycles + 32'd1;
    if (o_valid & !o_ready) output_stall_cycles <= output_stall_cycles + 32'd1;
    if (takes_result) begin
      results[result_count * {layout.result_bits} +: {layout.result_bits}] <= o_data;
      result_count <= result_count + {result_count_bits}'d1;
      output_beats <= output_beats + 32'd1;
    end
    if (was_stalled & !o_valid) dropped_valid <= dropped_valid + 32'd1;
    if (was_stalled & o_valid & (o_data != stalled_data)) changed_data <= changed_data + 32'd1;
    // latency: from the edge that takes the last beat to the first edge that sees o_valid
    age <= age + 32'd1;
    if (ends_sum) begin
      age <= 32'd1;
      is_timed <= outstanding == 32'd0;
      if ((outstanding == 32'd0) & o_valid) latency_cycles <= 32'd0;
    end else if (is_timed & o_valid) begin
      is_timed <= 1'b0;
      latency_cycles <= age;
    end
    outstanding <= outstanding + (ends_sum ? 32'd{design.implementation.rows} : 32'd0)
      - (takes_result ? 32'd1 : 32'd0);
    if (rst) begin
{resets}
      at <= {{{count_bits}{{1'b1}}}};
      running <= 1'b0;
      was_offered <= 1'b0;
      was_stalled <= 1'b0;
      was_last <= 1'b0;
      is_timed <= 1'b0;
      outstanding <= 32'd0;
      age <= 32'd0;
      random <= 32'h2545f491;
      attention <= 1'b0;
      result_count <= {result_count_bits}'d0;
    end
  end
endmodule
"""
