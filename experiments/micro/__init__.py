"""Full-integer files where microcontrollers run them: TFLM's interpreter, Arm's compiler Vela."""
