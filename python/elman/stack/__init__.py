"""The one seam of all front ends: a stack of recurrent layers, and how it is run.

`spec` says what a stack is, `cells` what its cell is. `arguments` checks a call's arguments, `steps` plans which steps
count. `passes` says what a device and a pass are; `processor` and `gpu` are the two devices there are. One call, with
weights in the order of `spec.names`:

>>> spec = StackSpec("gru", I, H)
>>> nest = spec.nest(weights)
>>> call = prepare(spec, PROCESSOR, x, state, lengths)
>>> run = PROCESSOR.new_pass(spec, call.steps, call.x, call.state)
>>> tape = run.new_tape()                                        # for backward; else none is needed
>>> y, final = run.forward(PROCESSOR.weights(spec, nest, back=False), tape)
>>> y, state = call.sequence_out(y), call.state_out(final)
>>> back = PROCESSOR.weights(spec, nest, back=True)
>>> dx, dinitial, grads = run.backward(back, tape, call.check_dy(dy), call.check_dstate(dstate))
"""
