"""The mathematics from scratch: NumPy in float64, one idea a file, written to be read.

`docs/foundations.md` leads through the files in reading order, `glasshouse learn` runs them, and `parity` holds every
function against its torch counterpart.

What is the same in every file:
    A weight matrix is (in_features, out_features), so that a layer reads `x @ weight + bias`, as in the textbooks.
    The first axis of `x` counts the rows of the batch. Losses are means over it, as torch's are.
    A derivative stands directly under its function, and its name says what it returns:
        `f_derivative(x)`: the slope of f at each element of x, in the shape of x;
        `f_gradient(...)`, of a loss: the gradient with regard to its first argument, in that argument's shape;
        `f_backward(grad, ...)`: the chain rule, from the gradient with regard to what f returned, and f's own
        arguments, to the gradients with regard to f's array arguments, in their order.
    A backward computes again what it needs of the forward pass. A library would keep it; here each function is whole.
"""
